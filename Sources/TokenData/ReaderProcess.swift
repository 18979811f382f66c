// ReaderProcess - a child process whose standard output is read, for formats that another program reads.

internal import CProcess
internal import Glibc
internal import InputFiles
internal import Primitives

/// A child process whose standard output is a pipe to this process.
///
/// The child has a process group of its own, an empty signal mask and no other open files. Its standard input is
/// /dev/null. Its standard error is kept in memory. It ends with its owner.
///
/// Why not Foundation's `Process`: it starts a thread and sockets, which children of other threads inherit.
/// Why `posix_spawn`: a process with MPI in it must not fork.
@safe final class ReaderProcess {
    /// The end of a child.
    enum End: Equatable, Sendable {
        case exited(Int32)
        case killed(signal: Int32)
        /// The system does not tell, because another part of this process ignores children.
        case unknown
    }

    /// A child that cannot be started; the operating system's message.
    struct StartError: Error {
        let words: String
    }

    private let identifier: pid_t
    private let output: Int32
    private let errors: Int32
    private var end: End?

    /// Starts a program, which is looked for in PATH unless its name has a slash.
    ///
    /// The corresponding C function is `posix_spawnp`.
    init(program: String, arguments: [String]) throws(StartError) {
        // Standard error is a file in memory. Why: a pipe that nobody reads would block the child.
        let errors = unsafe cprocess_memory_file("errors")
        guard errors >= 0 else { throw StartError(words: lastSystemError()) }
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe2(&ends, O_CLOEXEC) == 0 else {
            let words = lastSystemError()
            _ = close(errors)
            throw StartError(words: words)
        }
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        var none = sigset_t()
        var codes = unsafe [
            posix_spawn_file_actions_init(&actions), posix_spawnattr_init(&attributes), sigemptyset(&none),
        ]
        codes += unsafe [
            // In this order. Why: where this process has no standard input or output, `errors` has its number.
            posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO),
            posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO),
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0),
            // Connections of MPI must not outlive this process in a child.
            posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1),
            posix_spawnattr_setsigmask(&attributes, &none),
            // A signal of the terminal stops this program, which then needs the child for a moment more.
            posix_spawnattr_setpgroup(&attributes, 0),
            posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP)),
        ]
        var identifier: pid_t = 0
        var words = unsafe ([program] + arguments).map { unsafe strdup($0) }
        if unsafe words.contains(where: { unsafe $0 == nil }) { codes.append(ENOMEM) }
        unsafe words.append(nil)
        let code =
            unsafe codes.first { $0 != 0 }
            ?? words.withUnsafeMutableBufferPointer { list in
                guard let base = list.baseAddress else { preconditionFailure("the list ends with nil") }
                return unsafe posix_spawnp(&identifier, program, &actions, &attributes, base, environ)
            }
        unsafe words.forEach { unsafe free($0) }
        // Both only free memory, and have nothing to report.
        unsafe posix_spawn_file_actions_destroy(&actions)
        unsafe posix_spawnattr_destroy(&attributes)
        // Only the child writes. Otherwise the pipe would have no end.
        _ = close(ends[1])
        guard code == 0 else {
            _ = close(ends[0])
            _ = close(errors)
            throw StartError(words: unsafe String(cString: strerror(code)))
        }
        self.identifier = identifier
        self.errors = errors
        output = ends[0]
    }

    deinit {
        if end == nil {
            kill(identifier, SIGKILL)
            _ = wait()
        }
        // Nothing was written, so a failing close loses nothing.
        _ = close(output)
        _ = close(errors)
    }

    /// The next bytes of standard output, at most `limit`; none at its end. The corresponding C function is `read`.
    ///
    /// - Throws: ``StartError`` with the operating system's message.
    func read(limit: Int) throws(StartError) -> [UInt8] {
        var failure: String?
        let chunk = unsafe [UInt8](unsafeUninitializedCapacity: limit) { memory, initializedCount in
            let count = retryingOnInterrupt { unsafe Glibc.read(output, memory.baseAddress, limit) }
            if count < 0 { failure = lastSystemError() }
            initializedCount = max(count, 0)
        }
        if let failure { throw StartError(words: failure) }
        return chunk
    }

    /// Waits until the child has ended. The corresponding C function is `waitpid`.
    func wait() -> End {
        if let end { return end }
        var status: Int32 = 0
        let found = retryingOnInterrupt { unsafe waitpid(identifier, &status, 0) }
        let signal = status & 0x7F
        let end: End =
            if found != identifier { .unknown } else if signal != 0 { .killed(signal: signal) } else {
                .exited(status >> 8 & 0xFF)
            }
        self.end = end
        return end
    }

    /// The last lines of standard error, at most `limit` bytes.
    func errorText(limit: Int = 2000) -> String {
        let size = Int(lseek(errors, 0, SEEK_END))
        let count = max(0, min(limit, size))
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { memory, initializedCount in
            let got = retryingOnInterrupt {
                unsafe pread(errors, memory.baseAddress, count, off_t(size - count))
            }
            initializedCount = max(got, 0)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
