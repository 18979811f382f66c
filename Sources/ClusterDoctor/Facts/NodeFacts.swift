// NodeFacts - facts of one rank and its node, encoded as JSON on their way to rank 0.

internal import LinearAlgebra
internal import MessagePassing
internal import Reporting

/// The facts of one rank: the whole input of the checks.
package struct NodeFacts: Codable, Sendable, Equatable {
    var rank: Int
    var size: Int
    var nodeRank: Int
    var nodeSize: Int
    var host: String
    var launch: LaunchFacts
    var cores: CoreFacts
    var processor: ProcessorFacts
    var storage: StorageFacts
    var limits: LimitFacts
    var network: NetworkFacts
    /// Needs of the configured run; nil without a configuration.
    var plan: PlanFacts?
}

/// How this process was started.
struct LaunchFacts: Codable, Sendable, Equatable {
    /// Number of ranks that the launcher's environment variables state; nil without a launcher.
    var announced: LauncherVariables.Announcement?
    /// Name and version of the MPI library, one line.
    var library: String
    var threadLevel: Int
    /// Whether large buffers go through shared memory.
    var usesSharedMemory: Bool
    var sharedMemory: SharedMemoryRoom
    /// Version of the program.
    var version: String
    /// SHA-256 of the executable.
    var programHash: String
}

/// Cores and threads of this rank.
struct CoreFacts: Codable, Sendable, Equatable {
    /// Core numbers in the affinity mask of this process, ascending.
    var allowed: [Int]
    /// Core numbers of `mpirun` itself on this node; nil with another launcher or none.
    var ofLauncher: [Int]?
    /// Compute threads of this rank.
    var threads: Int
    /// Whether the configuration sets `threads`.
    var isRequested: Bool
    /// Cores that the control group allows (core seconds per second); nil: no limit.
    var quota: Double?
}

/// The processor and the matmul libraries.
struct ProcessorFacts: Codable, Sendable, Equatable {
    var model: String
    /// The widest vector units of the processor; nil on another architecture than x86-64.
    var units: VectorUnits?
    /// In the order of ``BLASBackends/all``.
    var backends: [Backend]
    var hasBFloat16GEMM: Bool
    /// State of the AMX tiles; nil if the processor has none.
    var tiles: Tiles?
    /// Instruction set that the Swift code was compiled for.
    var builtFor: String

    /// Whether bf16 matmuls run on the AMX tiles.
    enum Tiles: String, Codable, Sendable {
        case used
        /// The kernel, or a container's filter of system calls, denies the tiles to this process.
        case refused
        /// An environment variable of oneDNN excludes the tiles.
        case limited
    }

    struct Backend: Codable, Sendable, Equatable {
        /// Its ``BLASBackend/name``.
        var name: String
        var identity: String
        /// Vector units that the library's kernels use; nil if unknown.
        var units: VectorUnits?
        /// `NAME=value` of the environment variable that limits the library's choice of kernels; nil if unset.
        var variable: String?
    }

    /// Facts of `backend`; nil where the rank's program does not have it.
    subscript(_ backend: any BLASBackend) -> Backend? {
        backends.first { $0.name == backend.name }
    }
}

/// The directory of checkpoints and its file system.
struct StorageFacts: Codable, Sendable, Equatable {
    /// Absolute path of the directory.
    var directory: String
    /// The directory or its nearest existing parent, in which the test files were written.
    var probed: String
    /// The system's error on writing a file; nil if that worked.
    var problem: String?
    /// Whether `problem` is a lack of space or quota.
    var isFull = false
    /// The system's error on `flock`; nil if that worked.
    var lockProblem: String?
    /// HDF5's error on writing and reading back a file; nil if that worked.
    var hdf5Problem: String?
    /// Whether `hdf5Problem` is a refused lock.
    var hdf5WantsLocks = false
    /// Whether `hdf5Problem` is a lack of space or quota.
    var hdf5WantsSpace = false
    var hdf5Version: String
    /// Value of `HDF5_USE_FILE_LOCKING`.
    var lockVariable: String?
    var freeBytes: Int
    /// Number of files that can still be made; nil if the file system has no such limit.
    var freeFiles: Int?
    /// Number of checkpoints in the directory.
    var checkpoints = 0
    /// Whether this rank sees a file that rank 0 wrote; nil on rank 0, or if rank 0 could not write.
    var seesRankZero: Bool?
}

/// Resource limits of this process and memory of its node, in bytes unless stated; nil: no limit.
struct LimitFacts: Codable, Sendable, Equatable {
    var openFiles: Int?
    var openFilesHard: Int?
    var fileSize: Int?
    var addressSpace: Int?
    /// Processor time, all threads together, in seconds.
    var coreTime: Int?
    var lockedMemory: Int?
    /// Address space in use.
    var virtualBytes: Int
    /// Memory of the node that is available without swapping.
    var availableMemory: Int?
    /// Memory that the control group has left.
    var groupMemory: Int?
    /// Memory that the kernel may still commit; nil unless `vm.overcommit_memory` is 2.
    var commitMemory: Int?
    /// Names of InfiniBand and RoCE devices.
    var infiniband: [String]
}

/// Network of this rank, and its clock.
struct NetworkFacts: Codable, Sendable, Equatable {
    struct Interface: Codable, Sendable, Hashable {
        var name: String
        /// IPv4.
        var address: String
    }

    /// Interfaces that are up, without the loopback.
    var interfaces: [Interface]
    /// Value of `OMPI_MCA_btl_tcp_if_include`.
    var included: String?
    /// Value of `OMPI_MCA_btl_tcp_if_exclude`: names, or networks as `172.17.0.0/16`.
    var excluded: String?
    /// Seconds that this rank's clock is ahead of rank 0's clock; nil on rank 0.
    var clockOffset: Double?
    /// Uncertainty of `clockOffset` in seconds.
    var clockUncertainty: Double?
    /// Latency to rank 0 in seconds one way; nil except on the first rank of each other node.
    var latency: Double?
    /// Bandwidth to rank 0 in bytes per second; nil except on the first rank of each other node.
    var bandwidth: Double?
}

/// Needs of a configured run.
struct PlanFacts: Codable, Sendable, Equatable {
    var name: String
    /// Bytes of the largest rank's buffers.
    var memoryBytes: Int
    var checkpointBytes: Int
    /// Bytes of the largest shard.
    var shardBytes: Int
    /// Value of `checkpoint.keep`.
    var keeps: Int
    var usesBFloat16: Bool
    var isReproducible: Bool
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

    /// Number of nodes.
    var nodeCount: Int { count { $0.nodeRank == 0 } }
}
