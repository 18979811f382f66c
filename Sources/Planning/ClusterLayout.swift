// ClusterLayout - nodes, links and ranks of a planned run.

/// What a cluster can do; rates are per second.
package struct Hardware: Sendable, Equatable {
    /// Operations of one rank, in a step's own computation (`gflops_compute` of `bench step`).
    package var rankOperations: Double
    /// Bytes that a node sends, and at the same time receives.
    package var networkBytes: Double
    /// Seconds from one node to another of a message without content.
    package var latency: Double
    /// Bytes that the memory of a node reads and writes, for all of its ranks.
    package var memoryBytes: Double
    /// Bytes that the file system of the checkpoints takes from all ranks together.
    package var diskBytes: Double
    /// Bytes of memory of a node; nil where that is not to be judged.
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

/// How ranks are placed on nodes.
package struct ClusterLayout: Sendable, Equatable {
    package let ranks: Int
    package let nodes: Int
    /// Ranks of the fullest node.
    package let ranksPerNode: Int

    /// Full nodes, except perhaps the last.
    package init(ranks: Int, ranksPerNode: Int) {
        self.ranks = ranks
        self.ranksPerNode = min(ranks, ranksPerNode)
        nodes = (ranks + ranksPerNode - 1) / ranksPerNode
    }

    /// As even as possible on at most `nodes` nodes.
    package init(ranks: Int, nodes: Int) {
        self.ranks = ranks
        self.nodes = min(ranks, nodes)
        ranksPerNode = (ranks + self.nodes - 1) / self.nodes
    }

    /// Whether every node has as many ranks: only then large buffers go through the memory that they share.
    package var isRegular: Bool { ranks == nodes * ranksPerNode }
    /// Rounds in which a tree of all nodes is gone through: the smallest k with 2^k >= nodes.
    var treeDepth: Int { Self.depth(nodes) }
    /// The same for all ranks.
    var rankTreeDepth: Int { Self.depth(ranks) }

    private static func depth(_ count: Int) -> Int { Int.bitWidth - (count - 1).leadingZeroBitCount }
}
