// ProgramFailure - an error on its way to main: message and exit status.

internal import Checkpointing
internal import Configuration
internal import MessagePassing
internal import TokenData

/// The exit statuses of the program (design section 5), the same through `mpirun`.
public enum ExitStatus: Int32, Sendable {
    case done = 0
    case runtimeFailure = 1
    /// Bad arguments, configuration or data.
    case badInput = 2
    case noUsableCheckpoint = 3
    /// `EX_TEMPFAIL`: stopped early with everything saved; run the same command again.
    case stoppedEarly = 75
}

/// What main prints and returns.
public struct ProgramFailure: Error, CustomStringConvertible {
    public let status: ExitStatus
    public let message: String
    /// Whether every rank throws this same error, so that all can end in order; otherwise one rank alone failed and the
    /// others must be ended.
    public let isShared: Bool

    public init(_ status: ExitStatus, _ message: String, isShared: Bool = false) {
        self.status = status
        self.message = message
        self.isShared = isShared
    }

    public var description: String { message }

    /// Gives any error of the modules below its exit status.
    public init(_ error: any Error) {
        switch error {
        case let failure as ProgramFailure: self = failure
        case let error as ConfigurationError: self.init(.badInput, "\(error)")
        case let error as DataError: self.init(.badInput, "\(error)")
        case let error as HuggingFaceError:
            self.init(error.kind == .io ? .runtimeFailure : .badInput, "\(error)")
        case let error as CheckpointError: self.init(.runtimeFailure, "\(error)")
        case let error as MPIError where error.code == .stalled:
            self.init(
                .runtimeFailure,
                error.message
                    + "\n  (training.watchdog_seconds is the limit; steps, evaluations and saves must be shorter)")
        case let error as MPIError: self.init(.runtimeFailure, "\(error)")
        default: self.init(.runtimeFailure, "\(error)")
        }
    }
}
