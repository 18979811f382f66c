// ClusterLayout - hardware of a planned cluster, and the placement of ranks on its nodes.

/// Rates and sizes of a cluster's hardware. Rates are per second.
package struct Hardware: Sendable, Equatable {
    /// Floating point operations of one rank while it computes (`gflops_compute` of `bench step`).
    package var rankOperations: Double
    /// Bandwidth of a node's link, in each direction.
    package var networkBytes: Double
    /// Seconds of an empty message between nodes.
    package var latency: Double
    /// Memory bandwidth of a node, which its ranks share.
    package var memoryBytes: Double
    /// Write bandwidth of the checkpoints' file system, for all ranks together.
    package var diskBytes: Double
    /// Memory of a node in bytes; nil if it does not matter.
    package var nodeMemory: Int? = nil

    package init(
        rankOperations: Double, networkBytes: Double, latency: Double, memoryBytes: Double, diskBytes: Double,
        nodeMemory: Int? = nil
    ) {
        self.rankOperations = rankOperations
        self.networkBytes = networkBytes
        self.latency = latency
        self.memoryBytes = memoryBytes
        self.diskBytes = diskBytes
        self.nodeMemory = nodeMemory
    }
}

/// Number of ranks and nodes, and ranks per node.
package struct ClusterLayout: Sendable, Equatable {
    package let ranks: Int
    package let nodes: Int
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
    package var isRegular: Bool { ranks == nodes * ranksPerNode }
    /// Depth of a binomial tree of all nodes: the smallest k with 2^k >= nodes.
    var treeDepth: Int { Self.depth(nodes) }
    /// Depth of a binomial tree of all ranks.
    var rankTreeDepth: Int { Self.depth(ranks) }

    private static func depth(_ count: Int) -> Int { Int.bitWidth - (count - 1).leadingZeroBitCount }
}
