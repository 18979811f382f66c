// NodeFacts - what one rank sees of itself and its node, as it travels to rank 0.

internal import LinearAlgebra
package import MessagePassing
package import Reporting

/// The facts of one rank. Judgement is elsewhere, and needs nothing else.
package struct NodeFacts: Codable, Sendable, Equatable {
    package var rank: Int
    package var size: Int
    package var nodeRank: Int
    package var nodeSize: Int
    package var host: String
    package var launch: LaunchFacts
    package var cores: CoreFacts
    package var processor: ProcessorFacts
    package var storage: StorageFacts
    package var limits: LimitFacts
    package var network: NetworkFacts
    /// What the run of the configuration needs; nil without one.
    package var plan: PlanFacts?
}

/// How this process was started.
package struct LaunchFacts: Codable, Sendable, Equatable {
    /// Ranks that the launcher has started, as it tells its processes; nil without launcher.
    package var announced: LauncherVariables.Announcement?
    /// Name and version of the MPI library, one line.
    package var library: String
    package var threadLevel: Int
    /// Whether large buffers go through shared memory.
    package var usesSharedMemory: Bool
    package var sharedMemory: SharedMemoryRoom
    /// Version, and SHA-256 of the executable.
    package var version: String
    package var programHash: String
}

/// Where this rank may run.
package struct CoreFacts: Codable, Sendable, Equatable {
    /// Numbers of the cores that this process is bound to.
    var allowed: [Int]
    /// Numbers of the cores that `mpirun` itself has, on this node; nil with another launcher or none.
    var ofLauncher: [Int]?
    /// Compute threads of this rank.
    var threads: Int
    /// Whether the configuration sets them.
    var isRequested: Bool
    /// Core seconds per second that the control group allows; nil: no limit.
    var quota: Double?
}

/// What computes.
package struct ProcessorFacts: Codable, Sendable, Equatable {
    var model: String
    /// The widest vector units; nil on another architecture.
    var units: VectorUnits?
    /// In the order of ``BLASBackends/all``.
    var backends: [Backend]
    var hasBFloat16GEMM: Bool
    /// Of AMX; nil where the processor has none.
    var tiles: Tiles?
    /// What Swift code was compiled for.
    var builtFor: String

    /// Whether bf16 matmuls run on the processor's tiles.
    enum Tiles: String, Codable, Sendable {
        case used
        /// The system, or a container's filter of system calls, keeps them from this process.
        case refused
        /// An environment variable of the BLAS backend does.
        case limited
    }

    struct Backend: Codable, Sendable, Equatable {
        /// Its ``BLASBackend/name``.
        var name: String
        var identity: String
        /// What its kernels use; nil where that is not known.
        var units: VectorUnits?
        /// `NAME=value` of the environment variable that limits its choice; nil without it.
        var variable: String?
    }

    /// Facts of `backend`; nil where the rank's program does not have it.
    subscript(_ backend: any BLASBackend) -> Backend? {
        backends.first { $0.name == backend.name }
    }
}

/// The directory that checkpoints go to.
package struct StorageFacts: Codable, Sendable, Equatable {
    /// Absolute path.
    var directory: String
    /// The directory itself, or the nearest above it that exists; files were written here.
    var probed: String
    /// Why no file could be written there; nil where one could.
    var problem: String?
    /// Whether that was for want of space or quota, and not of permission.
    var isFull = false
    /// Why `flock` failed; nil where it did not.
    var lockProblem: String?
    /// Why an HDF5 file could not be written or read back; nil where it could.
    var hdf5Problem: String?
    /// Whether that was for want of locks.
    var hdf5WantsLocks = false
    /// Whether it was for want of space or quota.
    var hdf5WantsSpace = false
    var hdf5Version: String
    /// Value of `HDF5_USE_FILE_LOCKING`.
    var lockVariable: String?
    var freeBytes: Int
    /// Files that can still be made; nil where the file system does not count them.
    var freeFiles: Int?
    /// Checkpoints that are there already.
    var checkpoints = 0
    /// Whether a file that rank 0 has written there is seen; nil on rank 0, or where it could not write.
    var seesRankZero: Bool?
}

/// What the system allows. Limits are in bytes or as said; nil: no limit.
package struct LimitFacts: Codable, Sendable, Equatable {
    var openFiles: Int?
    var openFilesHard: Int?
    var fileSize: Int?
    var addressSpace: Int?
    /// Seconds.
    var coreTime: Int?
    var lockedMemory: Int?
    /// Address space in use.
    var virtualBytes: Int
    /// Memory of the node that can be had without swapping.
    var availableMemory: Int?
    /// Memory that the control group has left.
    var groupMemory: Int?
    /// Memory that may still be promised, where the kernel promises no more than there is (`vm.overcommit_memory` 2).
    var commitMemory: Int?
    /// Names of InfiniBand and RoCE devices.
    var infiniband: [String]
}

/// How this rank reaches others.
package struct NetworkFacts: Codable, Sendable, Equatable {
    package struct Interface: Codable, Sendable, Hashable {
        var name: String
        /// IPv4.
        var address: String
    }

    /// Interfaces that are up, without the loopback.
    package var interfaces: [Interface]
    /// What `OMPI_MCA_btl_tcp_if_include` says.
    package var included: String?
    /// What `OMPI_MCA_btl_tcp_if_exclude` says: names, or networks as `172.17.0.0/16`.
    package var excluded: String?
    /// How far this rank's clock is ahead of rank 0's, in seconds; nil on rank 0.
    package var clockOffset: Double?
    /// What that may be wrong by.
    package var clockUncertainty: Double?
    /// Between this rank and rank 0, in seconds one way, for the first rank of each node; nil for the others.
    package var latency: Double?
    /// Likewise, in bytes per second.
    package var bandwidth: Double?
}

/// What the run of a configuration needs.
package struct PlanFacts: Codable, Sendable, Equatable {
    package var name: String
    /// Buffers of a rank.
    package var memoryBytes: Int
    package var checkpointBytes: Int
    /// The largest shard.
    package var shardBytes: Int
    /// `checkpoint.keep`
    package var keeps: Int
    package var usesBFloat16: Bool
    package var isReproducible: Bool
}

extension [NodeFacts] {
    /// The ranks of each host, in the order of the hosts' first ranks.
    var byHost: [[NodeFacts]] {
        var order: [String] = []
        var groups: [String: [NodeFacts]] = [:]
        for facts in self {
            if groups[facts.host] == nil { order.append(facts.host) }
            groups[facts.host, default: []].append(facts)
        }
        return order.compactMap { groups[$0] }
    }

    /// Ranks that are the first of their nodes.
    var nodeCount: Int { count { $0.nodeRank == 0 } }
}
