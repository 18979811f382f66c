// StandardStreams - standard input, output and error: there from the start, and written as far as they can be.

internal import Glibc

public enum StandardStreams {
    /// Called before anything else opens a file.
    ///
    /// A stream that the caller has closed is replaced by a file that refuses to be read or written. Otherwise the next
    /// file that is opened would get its number, and a checkpoint the words that were meant for a person.
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
    static func write(_ bytes: some Collection<UInt8>, to descriptor: Int32) -> Int32? {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            if written < 0 && errno == EAGAIN {
                // Somebody else has made the file nonblocking: it is waited for as if nobody had.
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&ready, 1, -1)
                continue
            }
            guard written > 0 else { return written < 0 ? errno : EIO }
            rest = rest.dropFirst(written)
        }
        return nil
    }

    /// What a file system that writes late says of what it was given: network file systems and quotas report a failure when
    /// the file is closed, which the close of a copy does too.
    ///
    /// - Returns: nil, or the system's error number.
    static func lateFailure(of descriptor: Int32) -> Int32? {
        let copy = dup(descriptor)
        guard copy >= 0 else { return nil }
        guard close(copy) != 0, errno != EINTR else { return nil }
        return errno
    }

    /// What the system says about an error number.
    static func reason(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }
}
