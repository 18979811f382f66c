// Check - the names of the checks of `doctor`, and their conditions.

internal import LinearAlgebra

/// The checks of `doctor`. The raw values are their names in the output.
enum Check: String, CaseIterable, Sendable {
    case ranksAlone = "ranks-alone"
    case sharedMemory = "shared-memory"
    case sameProgram = "same-program"
    case sameMachine = "same-machine"

    case oversubscription
    case binding
    case idleCores = "idle-cores"
    case coreQuota = "cpu-quota"

    case blasKernels = "blas-kernels"
    case oneDNNKernels = "onednn-kernels"
    case bfloat16 = "bf16"

    case directory
    case sharedDirectory = "shared-directory"
    case fileLocks = "file-locks"
    case lockVariable = "hdf5-variable"
    case hdf5 = "hdf5"
    case freeSpace = "free-space"
    case freeFiles = "free-files"

    case openFiles = "open-files"
    case fileSize = "file-size"
    case addressSpace = "address-space"
    case coreTime = "cpu-time"
    case lockedMemory = "memlock"
    case memory

    case clocks
    case latency
    case bandwidth
    case interfaces

    /// The condition under which a check can find anything.
    enum Need: Sendable {
        case nothing
        case configuration
        case ranks
        case nodes
    }

    /// The check that a BLAS backend uses the vector units: its own one, or the one of BLAS in general.
    static func kernels(of backend: any BLASBackend) -> Check {
        Check(rawValue: "\(backend.name)-kernels") ?? .blasKernels
    }

    var need: Need {
        switch self {
        case .bfloat16, .freeSpace, .freeFiles, .fileSize, .memory: .configuration
        case .sharedMemory, .sameProgram, .sameMachine, .sharedDirectory, .clocks: .ranks
        case .latency, .bandwidth, .interfaces: .nodes
        default: .nothing
        }
    }
}
