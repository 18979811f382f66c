// InputFile - a file descriptor that closes itself, read in chunks.

internal import Glibc
internal import Primitives

/// An open file. A class, so that it closes also when its owner's initializer throws.
final class InputFile {
    let path: String
    private let descriptor: Int32
    /// Bytes read so far.
    private(set) var position = 0

    /// Opens `path` for reading. The corresponding C function is `open`.
    init(path: String) throws(ZstandardError) {
        let descriptor = retryingOnInterrupt { unsafe open(path, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw Self.failure(path: path, offset: 0, code: errno) }
        self.path = path
        self.descriptor = descriptor
    }

    // Nothing was written, so a failing close loses nothing.
    deinit { _ = close(descriptor) }

    /// Replaces the content of `buffer` by the next bytes of the file: at most `limit`, and none at its end.
    /// The corresponding C function is `read`.
    func read(into buffer: inout [UInt8], limit: Int) throws(ZstandardError) {
        var code: Int32 = 0
        buffer = unsafe Array(unsafeUninitializedCapacity: limit) { memory, initializedCount in
            let count = retryingOnInterrupt { unsafe Glibc.read(descriptor, memory.baseAddress, limit) }
            if count < 0 { code = errno }
            initializedCount = max(count, 0)
        }
        guard code == 0 else { throw Self.failure(path: path, offset: position, code: code) }
        position += buffer.count
    }

    private static func failure(path: String, offset: Int, code: Int32) -> ZstandardError {
        let words = unsafe String(cString: strerror(code))
        return ZstandardError(path: path, offset: offset, reason: .unreadable(errno: code), detail: words)
    }
}
