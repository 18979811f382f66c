// Hardware - the rates and sizes of a planned cluster.

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
