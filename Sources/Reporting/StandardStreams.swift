// StandardStreams - standard input, output and error: prepared at the start, and written without a buffer.

internal import Glibc
internal import Primitives

public enum StandardStreams {
    /// Replaces streams that the caller has closed by files that refuse to be read or written, and ignores SIGPIPE and
    /// SIGXFSZ. Call it before anything else opens a file.
    ///
    /// Why: the next file that is opened would get the number of the closed stream. Messages would be written into a
    /// checkpoint.
    public static func prepare() {
        for (descriptor, mode) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY)]
        where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is this one. Without /dev/null there is nothing better to put there.
            _ = unsafe open("/dev/null", mode)
        }
        // A reader of the output that goes away (`| head`) is no reason to lose a run: it is an error of a write.
        signal(SIGPIPE, SIG_IGN)
        // A write beyond `ulimit -f` shall be an error with a message, and not the end.
        signal(SIGXFSZ, SIG_IGN)
    }

    /// Writes all of `bytes`, unbuffered, so that lines of several ranks and a killed process lose nothing.
    ///
    /// - Returns: nil, or the system's error number of the write that failed.
    package static func write(_ bytes: some Collection<UInt8>, to descriptor: Int32) -> Int32? {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { memory in
                retryingOnInterrupt { unsafe Glibc.write(descriptor, memory.baseAddress, memory.count) }
            }
            if written < 0 && errno == EAGAIN {
                // Another process has made the file nonblocking: wait until it takes bytes again.
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&ready, 1, -1)
                continue
            }
            guard written > 0 else { return written < 0 ? errno : EIO }
            rest = rest.dropFirst(written)
        }
        return nil
    }

    /// The failure of earlier writes that a file system reports late. Network file systems and quotas report it when
    /// the file is closed; closing a copy of the descriptor reports it too.
    ///
    /// - Returns: nil, or the system's error number.
    static func lateFailure(of descriptor: Int32) -> Int32? {
        let copy = dup(descriptor)
        guard copy >= 0 else { return nil }
        guard close(copy) != 0, errno != EINTR else { return nil }
        return errno
    }

    /// The system's text for an error number.
    static func reason(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }
}
