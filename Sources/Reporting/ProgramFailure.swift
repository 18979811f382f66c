// ProgramFailure - an error that ends the program: message and exit status.

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

/// An error that tells the exit status of the program that it ends.
public protocol ExitStatusProviding: Error {
    var exitStatus: ExitStatus { get }
    /// The message that the program prints before it ends.
    var failureText: String { get }
}

extension ExitStatusProviding {
    public var failureText: String { "\(self)" }
}

/// The message that main prints, and the status that it returns.
public struct ProgramFailure: Error, CustomStringConvertible {
    public let status: ExitStatus
    public let message: String
    /// Whether every rank throws this same error, so that all can end in order. Otherwise one rank failed alone, and it
    /// must end the others.
    public let isShared: Bool

    public init(_ status: ExitStatus, _ message: String, isShared: Bool = false) {
        self.status = status
        self.message = message
        self.isShared = isShared
    }

    public var description: String { message }

    /// Gives any error its exit status: its own where it has one, otherwise that of a failure at run time.
    public init(_ error: any Error) {
        switch error {
        case let failure as ProgramFailure: self = failure
        case let error as any ExitStatusProviding: self.init(error.exitStatus, error.failureText)
        default: self.init(.runtimeFailure, "\(error)")
        }
    }
}
