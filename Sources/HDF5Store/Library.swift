// Library - the one path on which HDF5 is called: locked, silent, checked.

internal import CHDF5
internal import Synchronization

enum Library {
    /// The lock of all HDF5 calls. Why one: HDF5 is not reentrant unless it was built so, and even then serialises
    /// every call.
    private static let lock = Mutex<Void>(())

    /// The first failed close of a file or dataset. HDF5 1.10 then holds an identifier of freed memory, which any later
    /// call may follow.
    private static let failedClose = Mutex<HDF5Error?>(nil)

    /// Keeps HDF5 from cleaning up when the process ends. Why: threads may still use it, and a failed close would end
    /// in a crash. Written files are closed before, so nothing is lost.
    private static let endsQuietly: Bool = H5dont_atexit() >= 0

    /// Runs `body` with the lock held. Not reentrant: only entry points of the module take the lock.
    ///
    /// - Throws: also when the library's state is unknown since a failed close.
    static func locked<Result: Sendable>(
        _ body: () throws(HDF5Error) -> Result
    ) throws(HDF5Error) -> Result {
        try lock.withLock { (_: inout Void) throws(HDF5Error) -> Result in
            if let error = failedClose.withLock({ $0 }) { throw error }
            precondition(endsQuietly, "HDF5 was started by somebody else, who decides about its end")
            // Printing is a setting of the error stack, and a thread-safe library has one stack per thread. It fails
            // only for an invalid stack, and the default one always is valid.
            _ = H5Eset_auto2(chdf5_error_stack_default(), nil, nil)
            return try body()
        }
    }

    /// Checks the `status` that `function` returned.
    ///
    /// - Throws: when it is negative.
    @discardableResult
    static func check<Status: SignedInteger>(
        _ status: Status, _ function: String, _ file: String
    ) throws(HDF5Error) -> Status {
        guard status >= 0 else { throw HDF5Error(function: function, file: file, stack: takeErrorStack()) }
        return status
    }

    /// Notes that a file or dataset could not be closed.
    ///
    /// - Returns: the error to throw now and in later calls.
    static func noteFailedClose(_ function: String, _ file: String) -> HDF5Error {
        let cause = HDF5Error(function: function, file: file, stack: takeErrorStack())
        let error = HDF5Error(
            function: function, file: file,
            message: cause.message + "; this process cannot use HDF5 any more: start it again",
            systemError: cause.systemError, stack: cause.stack)
        failedClose.withLock { first in first = first ?? error }
        return error
    }

    /// The descriptions on the error stack, called function first; empties it.
    private static func takeErrorStack() -> [String] {
        var lines: [String] = []
        // The stack must be read before any other call, which would clear it.
        let status = unsafe withUnsafeMutablePointer(to: &lines) { pointer in
            unsafe H5Ewalk2(
                chdf5_error_stack_default(), H5E_WALK_DOWNWARD,
                { _, entry, lines in
                    guard let entry = unsafe entry, let text = unsafe entry.pointee.desc,
                        let lines = unsafe lines
                    else { return 0 }
                    // Some descriptions hold the line break of `ctime`.
                    let line = unsafe String(cString: text).split(separator: "\n").joined()
                    unsafe lines.assumingMemoryBound(to: [String].self).pointee.append(line)
                    return 0
                }, pointer)
        }
        if status < 0 { lines.append("and the error stack could not be read") }
        return lines
    }
}

/// One HDF5 identifier, closed exactly once.
///
/// `close()` closes it with a check. A handle that is dropped is closed too, without a check: it was only read from, or
/// an earlier error is on its way, and that is the one to report.
struct Handle: ~Copyable, Sendable {
    enum Kind {
        case file
        case dataset
        case dataspace
        case datatype
        case propertyList
    }

    let identifier: hid_t
    private let kind: Kind
    /// Whether dropping must take the lock: true for handles that outlive the locked call that made them.
    private let isShared: Bool

    /// Takes over `identifier`, which `function` returned; throws when that failed.
    init(
        _ identifier: hid_t, _ kind: Kind, isShared: Bool = false, from function: String, file: String
    ) throws(HDF5Error) {
        self.identifier = try Library.check(identifier, function, file)
        self.kind = kind
        self.isShared = isShared
    }

    deinit {
        // The error that is on its way is the one to report; a failed close is told to whoever uses HDF5 next.
        if isShared {
            let (identifier, kind) = (identifier, kind)
            _ = try? Library.locked { () throws(HDF5Error) in try Self.close(identifier, kind, "an earlier file") }
        } else {
            _ = try? Self.close(identifier, kind, "an earlier file")
        }
    }

    /// Closes the identifier. The caller holds the lock for a handle that is not shared, and does not for one that is.
    consuming func close(file: String) throws(HDF5Error) {
        let (identifier, kind, isShared) = (identifier, kind, isShared)
        discard self
        if isShared {
            try Library.locked { () throws(HDF5Error) in try Self.close(identifier, kind, file) }
        } else {
            try Self.close(identifier, kind, file)
        }
    }

    /// Gives the identifier up without closing it.
    consuming func release() -> hid_t {
        let identifier = identifier
        discard self
        return identifier
    }

    private static func close(_ identifier: hid_t, _ kind: Kind, _ file: String) throws(HDF5Error) {
        let (status, function) =
            switch kind {
            case .file: (H5Fclose(identifier), "H5Fclose")
            case .dataset: (H5Dclose(identifier), "H5Dclose")
            case .dataspace: (H5Sclose(identifier), "H5Sclose")
            case .datatype: (H5Tclose(identifier), "H5Tclose")
            case .propertyList: (H5Pclose(identifier), "H5Pclose")
            }
        guard status < 0, kind == .file || kind == .dataset else {
            try Library.check(status, function, file)
            return
        }
        throw Library.noteFailedClose(function, file)
    }
}
