// ClusterLayout - the placement of ranks on the nodes of a planned cluster.

/// Number of ranks and nodes, and ranks per node.
package struct ClusterLayout: Sendable, Equatable {
    package let ranks: Int
    let nodes: Int
    /// Ranks of the fullest node.
    package let ranksPerNode: Int

    /// Fills each node with `ranksPerNode` ranks. The last node may have fewer.
    package init(ranks: Int, ranksPerNode: Int) {
        self.ranks = ranks
        self.ranksPerNode = min(ranks, ranksPerNode)
        nodes = (ranks + ranksPerNode - 1) / ranksPerNode
    }

    /// Spreads the ranks evenly over at most `nodes` nodes.
    package init(ranks: Int, nodes: Int) {
        self.ranks = ranks
        self.nodes = min(ranks, nodes)
        ranksPerNode = (ranks + self.nodes - 1) / self.nodes
    }

    /// Whether all nodes have the same number of ranks. Why: the exchange uses shared memory only then.
    var isRegular: Bool { ranks == nodes * ranksPerNode }
    /// Depth of a binomial tree of all nodes: the smallest k with 2^k >= nodes.
    var treeDepth: Int { Self.depth(nodes) }
    /// Depth of a binomial tree of all ranks.
    var rankTreeDepth: Int { Self.depth(ranks) }

    private static func depth(_ count: Int) -> Int { Int.bitWidth - (count - 1).leadingZeroBitCount }
}
