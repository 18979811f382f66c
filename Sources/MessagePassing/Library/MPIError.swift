// MPIError - what went wrong in a collective operation, on which rank and node.

internal import CMPI
public import Reporting

/// A failed call of the message-passing library, or a call that was refused before it reached the library.
public struct MPIError: Error, Equatable {
    /// An error class of MPI, or one of this module's own (negative) codes.
    ///
    /// A structure and not an enumeration: a library may return classes that are not listed here.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: Int32
        public init(rawValue: Int32) { self.rawValue = rawValue }

        /// Buffers that must not overlap do (`MPI_ERR_BUFFER`).
        public static let buffer = Code(rawValue: MPI_ERR_BUFFER)
        /// Numbers of elements that do not fit together (`MPI_ERR_COUNT`).
        public static let count = Code(rawValue: MPI_ERR_COUNT)
        /// A root that is no rank of the communicator (`MPI_ERR_ROOT`).
        public static let root = Code(rawValue: MPI_ERR_ROOT)
        /// Any other wrong argument (`MPI_ERR_ARG`).
        public static let argument = Code(rawValue: MPI_ERR_ARG)
        /// A message was longer than the receiver expected: the ranks disagree about a count (`MPI_ERR_TRUNCATE`).
        public static let truncated = Code(rawValue: MPI_ERR_TRUNCATE)
        /// Any other failure the library knows (`MPI_ERR_OTHER`).
        public static let other = Code(rawValue: MPI_ERR_OTHER)
        /// A failure inside the library, often of the network (`MPI_ERR_INTERN`).
        public static let `internal` = Code(rawValue: MPI_ERR_INTERN)
        /// The library has no memory left (`MPI_ERR_NO_MEM`).
        public static let noMemory = Code(rawValue: MPI_ERR_NO_MEM)

        // MPI's error classes are positive, so negative numbers are free for this module.

        /// A wait took longer than ``Communicator/deadlineSeconds``.
        public static let deadline = Code(rawValue: -1)
        /// ``Communicator/start()`` was called before in this process.
        public static let alreadyStarted = Code(rawValue: -2)
        /// A call after ``Communicator/finish()``.
        public static let finished = Code(rawValue: -3)
        /// ``Communicator/finish()`` while a ``Request`` has not been waited for.
        public static let unfinishedRequests = Code(rawValue: -4)
        /// The library offers less than `MPI_THREAD_FUNNELED`.
        public static let threadSupport = Code(rawValue: -5)
        /// The watchdog found that nothing moves; the message names the ranks that are late
        /// (``Communicator/startWatchdog(limitSeconds:describe:)``).
        public static let stalled = Code(rawValue: -6)
    }

    /// The kind of failure.
    public let code: Code
    /// The C function that failed, or would have been called, for example `MPI_Iallreduce`.
    public let function: String
    /// What was found; the library's own text (`MPI_Error_string`) for an error of the library.
    public let message: String
    /// The rank on which the error was found; -1 before the library has started.
    public let rank: Int
    /// The node of that rank, empty before the library has started.
    public let host: String

    public init(code: Code, function: String, message: String, rank: Int, host: String) {
        self.code = code
        self.function = function
        self.message = message
        self.rank = rank
        self.host = host
    }
}

extension MPIError: CustomStringConvertible {
    public var description: String {
        let place = rank >= 0 ? "rank \(rank) on \(host): " : ""
        return "\(place)\(function): \(message)"
    }
}

extension MPIError: ExitStatusProviding {
    public var exitStatus: ExitStatus { .runtimeFailure }

    public var failureText: String {
        guard code == .stalled else { return "\(self)" }
        return message + "\n  (training.watchdog_seconds is the limit; steps, evaluations and saves must be shorter)"
    }
}
