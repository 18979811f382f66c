// OutputFile - the file that HDF5 writes to. It remembers the first failed write and hides it from HDF5.

internal import Glibc
internal import Primitives
internal import Synchronization

/// A new file of the file system, behind an HDF5 file that is written.
///
/// Why: HDF5 1.10 cannot close a file whose last writes fail. It frees the file, keeps its identifier, and follows that
/// into freed memory later, in the next save or when the process ends. So HDF5 never learns of a failed write.
///
/// The file remembers the first failure. Callers of HDF5 ask for it after each call (``requireWritten(_:_:)``). After a
/// failure, writes of metadata go to memory, because HDF5 reads them back. Elements of datasets are dropped.
final class OutputFile: Sendable {
    private struct State {
        /// End of the space that HDF5 has allocated, an offset in bytes, exclusive.
        var allocatedEnd: UInt = 0
        /// End of the file in the view of HDF5, an offset in bytes, exclusive.
        var end: UInt = 0
        var failure: Failure?
        /// Pages with metadata that were written after the failure, by number of page.
        var pages: [UInt: [UInt8]] = [:]
    }

    private struct Failure {
        let action: String
        let code: Int32
    }

    private static let pageBytes: UInt = 4096

    private let descriptor: Int32
    private let state = Mutex(State())

    /// Creates the file, or empties an existing one. The corresponding C function is `open`.
    init(path: String) throws(SystemCallError) {
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw SystemCallError(code: errno) }
    }

    /// Takes the lock by which readers learn that the file is being written. The corresponding C function is `flock`.
    func lock() throws(SystemCallError) {
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw SystemCallError(code: errno) }
    }

    func unlock() throws(SystemCallError) {
        guard flock(descriptor, LOCK_UN) == 0 else { throw SystemCallError(code: errno) }
    }

    /// Checks that the file has all bytes that HDF5 has written.
    ///
    /// - Parameter function: the C function that was called last.
    /// - Throws: the first failure.
    func requireWritten(_ function: String, _ path: String) throws(HDF5Error) {
        guard let failure = state.withLock(\.failure) else { return }
        let reason = unsafe String(cString: strerror(failure.code))
        let limit = failure.code == EFBIG ? "; see ulimit -f" : ""
        throw HDF5Error(
            function: function, file: path, message: "file \(failure.action) failed (\(reason)\(limit))",
            systemError: failure.code)
    }

    var end: UInt { state.withLock(\.end) }

    var allocatedEnd: UInt {
        get { state.withLock(\.allocatedEnd) }
        set { state.withLock { $0.allocatedEnd = newValue } }
    }

    /// The corresponding C function is `pwrite`.
    func write(_ bytes: UnsafeRawBufferPointer, at address: UInt, isMetadata: Bool) {
        state.withLock { state in
            if state.failure == nil, let code = unsafe Self.write(bytes, to: descriptor, at: address) {
                state.failure = Failure(action: "write", code: code)
            }
            if state.failure != nil && isMetadata { unsafe keep(bytes, at: address, in: &state) }
            state.end = max(state.end, address + UInt(bytes.count))
        }
    }

    /// Reads back what was written; zeros beyond the end of the file. The corresponding C function is `pread`.
    func read(into target: UnsafeMutableRawBufferPointer, at address: UInt) throws(SystemCallError) {
        try state.withLock { state throws(SystemCallError) in
            do throws(SystemCallError) {
                try unsafe Self.read(from: descriptor, into: target, at: address)
            } catch {
                // Bytes that the failed file lacks come from memory.
                guard state.failure != nil else { throw error }
            }
            Self.forEachPage(address, target.count) { number, inPage, inBlock in
                guard let page = state.pages[number] else { return }
                unsafe page.withUnsafeBytes {
                    unsafe UnsafeMutableRawBufferPointer(rebasing: target[inBlock]).copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: $0[inPage]))
                }
            }
        }
    }

    /// Brings the file to the size that HDF5 has allocated. The corresponding C function is `ftruncate`.
    func truncate() {
        state.withLock { state in
            guard state.end != state.allocatedEnd else { return }
            if state.failure == nil, ftruncate(descriptor, off_t(state.allocatedEnd)) != 0 {
                state.failure = Failure(action: "truncation", code: errno)
            }
            state.end = state.allocatedEnd
        }
    }

    /// Network file systems and quotas report a failed write as late as here. The corresponding C function is `close`.
    func close() {
        state.withLock { state in
            // Linux gives the descriptor back in any case.
            guard Glibc.close(descriptor) != 0, errno != EINTR, state.failure == nil else { return }
            state.failure = Failure(action: "close", code: errno)
        }
    }

    /// Keeps bytes that are not in the file in memory.
    private func keep(_ bytes: UnsafeRawBufferPointer, at address: UInt, in state: inout State) {
        Self.forEachPage(address, bytes.count) { number, inPage, inBlock in
            var page = state.pages[number] ?? stored(number)
            unsafe page.withUnsafeMutableBytes {
                unsafe UnsafeMutableRawBufferPointer(rebasing: $0[inPage])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[inBlock]))
            }
            state.pages[number] = page
        }
    }

    /// A page as the file has it; zeros where it cannot be read.
    private func stored(_ number: UInt) -> [UInt8] {
        var page = [UInt8](repeating: 0, count: Int(Self.pageBytes))
        unsafe page.withUnsafeMutableBytes {
            // The caller needs bytes that can be patched; an unreadable page belongs to a file that is discarded.
            do throws(SystemCallError) {
                try unsafe Self.read(from: descriptor, into: $0, at: number * Self.pageBytes)
            } catch {}
        }
        return page
    }

    /// Calls `body` for each page of the block at `address`, with the ranges that both share, in the page and in the
    /// block.
    private static func forEachPage(
        _ address: UInt, _ count: Int, _ body: (_ number: UInt, _ inPage: Range<Int>, _ inBlock: Range<Int>) -> Void
    ) {
        let end = address + UInt(count)
        var start = address
        while start < end {
            let number = start / pageBytes
            let next = min(end, (number + 1) * pageBytes)
            let first = Int(start - number * pageBytes)
            let length = Int(next - start)
            body(number, first..<(first + length), Int(start - address)..<(Int(start - address) + length))
            start = next
        }
    }

    /// - Returns: the system's error number; nil when all bytes are written.
    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at address: UInt) -> Int32? {
        var done = 0
        while done < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = retryingOnInterrupt {
                unsafe pwrite(descriptor, rest.baseAddress, rest.count, off_t(address) + off_t(done))
            }
            guard count > 0 else { return count < 0 ? errno : EIO }
            done += count
        }
        return nil
    }

    private static func read(
        from descriptor: Int32, into target: UnsafeMutableRawBufferPointer, at address: UInt
    ) throws(SystemCallError) {
        var done = 0
        while done < target.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: target[done...])
            let count = retryingOnInterrupt {
                unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(address) + off_t(done))
            }
            guard count >= 0 else { throw SystemCallError(code: errno) }
            guard count > 0 else {
                unsafe rest.initializeMemory(as: UInt8.self, repeating: 0)
                return
            }
            done += count
        }
    }
}

/// A system call that failed.
struct SystemCallError: Error {
    /// `errno`.
    let code: Int32

    /// The text in the form of HDF5's error stack.
    var text: String { "errno = \(code), error message = '\(unsafe String(cString: strerror(code)))'" }
}
