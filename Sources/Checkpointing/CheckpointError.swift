// CheckpointError - the error of a checkpoint that cannot be read or written, with its remedy.

internal import Glibc
internal import HDF5Store
public import Reporting

/// A checkpoint that cannot be read or written.
public struct CheckpointError: Error, Sendable, CustomStringConvertible {
    /// The kind of a problem, by which callers decide.
    public enum Kind: Sendable, Equatable, CaseIterable {
        /// A directory or file does not exist.
        case missing
        /// The directory has its final name but no `COMPLETE`.
        case incomplete
        /// Bytes differ from those that were written.
        case corrupt
        /// Rank 0 does not see another rank's shard.
        case notShared
        /// The system refused a file operation.
        case io
        /// No space is left, or a quota is used up.
        case diskFull
        /// Well-formed, but written by another version of the program or for something else.
        case incompatible
    }

    public let kind: Kind
    /// Path of the file or directory.
    public let file: String
    /// The problem, the expectation and the remedy.
    public let message: String

    public init(_ kind: Kind, file: String, _ message: String) {
        self.kind = kind
        self.file = file
        self.message = message
    }

    public var description: String { "\(file): \(message)" }

    /// Whether the checkpoint itself is bad, so that an older one should be used and this one moved aside.
    ///
    /// False for a refusal of the system and for a checkpoint of another version. Why: such a checkpoint may be good,
    /// and must be neither skipped silently nor renamed.
    public var condemnsCheckpoint: Bool {
        switch kind {
        case .missing, .incomplete, .corrupt: true
        case .notShared, .io, .diskFull, .incompatible: false
        }
    }
}

extension CheckpointError {
    /// The error of a failed system call.
    static func system(_ number: Int32, _ action: String, _ file: String) -> CheckpointError {
        let reason = unsafe String(cString: strerror(number))
        switch number {
        case ENOSPC, EDQUOT: return full(reason, action, file)
        case ENOENT:
            return CheckpointError(.missing, file: file, "cannot \(action): \(reason)")
        case EACCES, EPERM, EROFS:
            return CheckpointError(
                .io, file: file,
                "cannot \(action): \(reason); give this user write access or choose another checkpoint.directory")
        default:
            return CheckpointError(.io, file: file, "cannot \(action): \(reason)")
        }
    }

    private static func full(_ reason: String, _ action: String, _ file: String) -> CheckpointError {
        CheckpointError(
            .diskFull, file: file,
            "cannot \(action): \(reason); free space or raise the quota (a smaller checkpoint.keep needs less)")
    }

    /// The error of a file whose SHA-256 is not that of the index.
    static func altered(_ file: String, found: String, expected: String) -> CheckpointError {
        CheckpointError(.corrupt, file: file, "its SHA-256 is \(found) instead of \(expected): the file was altered")
    }

    /// The error of a file that reads back otherwise than it was written.
    ///
    /// - Parameter place: the part of the file that differs; nil: not known.
    static func readBackDiffers(_ file: String, at place: String? = nil) -> CheckpointError {
        let part = place.map { " (\($0))" } ?? ""
        return CheckpointError(
            .io, file: file,
            "what is read back differs from what was written\(part): the storage is not reliable; check its health"
                + " before training on")
    }

    /// The error of a failed HDF5 call while writing.
    static func writing(_ error: HDF5Error) -> CheckpointError {
        let text = "\(error.function): \(error.message)"
        switch error.systemError {
        case ENOSPC, EDQUOT: return full(text, "write", error.file)
        case ENOENT: return CheckpointError(.missing, file: error.file, "cannot write: \(text)")
        default: return CheckpointError(.io, file: error.file, "cannot write: \(text)")
        }
    }

    /// The error of a failed HDF5 call while reading: `corrupt`, unless the system or a lock refused.
    static func reading(_ error: HDF5Error) -> CheckpointError {
        let text = "\(error.function): \(error.message)"
        if error.systemError == ENOENT { return CheckpointError(.missing, file: error.file, text) }
        if error.systemError != nil || error.isLockingFailure {
            return CheckpointError(.io, file: error.file, text)
        }
        return CheckpointError(.corrupt, file: error.file, "the content is damaged: \(text)")
    }
}

/// Runs HDF5 calls that write, and turns their errors into ``CheckpointError``.
func writing<Result: ~Copyable>(
    _ body: () throws(HDF5Error) -> Result
) throws(CheckpointError) -> Result {
    do { return try body() } catch { throw .writing(error) }
}

/// Runs HDF5 calls that read, and turns their errors into ``CheckpointError``.
func reading<Result: ~Copyable>(
    _ body: () throws(HDF5Error) -> Result
) throws(CheckpointError) -> Result {
    do { return try body() } catch { throw .reading(error) }
}

extension CheckpointError: ExitStatusProviding {
    public var exitStatus: ExitStatus { .runtimeFailure }
}
