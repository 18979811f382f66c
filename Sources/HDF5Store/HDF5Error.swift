// HDF5Error - an error of the library, with the file and the error stack.

/// A failed HDF5 call, or content of another kind than the caller asked for.
public struct HDF5Error: Error, Sendable, CustomStringConvertible {
    /// The C function that failed, for example `H5Fopen`; for content of another kind, the function that showed it.
    public let function: String
    /// Path of the file.
    public let file: String
    /// One line: what failed, why, and the remedy where there is one.
    public let message: String
    /// The system's error number where a system call failed, for example `ENOSPC`.
    public let systemError: Int32?
    /// HDF5's error stack, from the called function down to the cause, one line each.
    public let stack: [String]

    init(function: String, file: String, message: String, systemError: Int32? = nil, stack: [String] = []) {
        self.function = function
        self.file = file
        self.message = message
        self.systemError = systemError
        self.stack = stack
    }

    public var description: String { "\(file): \(function): \(message)" }

    /// Whether HDF5 could not lock the file, as happens on Lustre and NFS mounts without lock support.
    public var isLockingFailure: Bool { stack.contains(where: Self.speaksOfLocking) }

    static func speaksOfLocking(_ line: String) -> Bool { line.contains("unable to lock file") }
}

extension HDF5Error {
    /// Builds the error of a failed call from the library's error stack.
    init(function: String, file: String, stack: [String]) {
        let summary = stack.first ?? "failed without an explanation"
        // The last line is the cause; a failed system call is described there with its number.
        let system = stack.compactMap(Self.systemError(in:)).first
        var message = summary
        if let system {
            message += " (\(system.text))"
        } else if let cause = stack.last, cause != summary {
            message += " (\(cause))"
        }
        if stack.contains(where: Self.speaksOfLocking) {
            message +=
                "; the file is open for writing in another process, or its file system does not support locks:"
                + " in the second case set the environment variable HDF5_USE_FILE_LOCKING=FALSE for all ranks"
        }
        self.init(function: function, file: file, message: message, systemError: system?.number, stack: stack)
    }

    /// Reads "errno = 28, error message = 'No space left on device'" out of a line: HDF5 reports a failed system call
    /// only as text.
    private static func systemError(in line: String) -> (number: Int32, text: String)? {
        guard let start = line.firstRange(of: "errno = ") else { return nil }
        let rest = line[start.upperBound...]
        guard let number = Int32(rest.prefix(while: \.isNumber)) else { return nil }
        guard let quote = rest.firstRange(of: "error message = '") else { return (number, "errno \(number)") }
        return (number, String(rest[quote.upperBound...].prefix { $0 != "'" }))
    }
}
