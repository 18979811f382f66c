// ReadableFile - an open file, read from its start to its end or at any offset.

internal import Glibc
internal import Primitives

/// A file that failed or changed while a run was reading it. The machine is at fault, not the configuration.
public struct InputError: Error, CustomStringConvertible, Equatable {
    /// The file at fault.
    public let file: String
    /// The problem, in words.
    public let problem: String
    /// The remedy.
    public let remedy: String

    package init(file: String, problem: String, remedy: String) {
        self.file = file
        self.problem = problem
        self.remedy = remedy
    }

    public var description: String { "\(file): \(problem); \(remedy)" }
}

/// A file descriptor open for reading that closes itself.
package final class ReadableFile: Sendable {
    package let path: String
    /// Bytes of the file when it was opened.
    package let size: Int
    private let descriptor: Int32

    /// Opens a regular, non-empty file. The corresponding C functions are `open` and `fstat`.
    package init(path: String) throws {
        _ = try requireFile(path)
        let descriptor = retryingOnInterrupt { unsafe open(path, O_RDONLY | O_CLOEXEC) }
        var status = stat()
        guard descriptor >= 0, unsafe fstat(descriptor, &status) == 0 else {
            let words = lastSystemError()
            // Nothing was written, so a failing close loses nothing.
            if descriptor >= 0 { _ = close(descriptor) }
            throw DataError(file: path, problem: "cannot be read: \(words)", remedy: "check its permissions")
        }
        self.path = path
        self.descriptor = descriptor
        size = Int(status.st_size)
    }

    // Nothing was written, so a failing close loses nothing.
    deinit { _ = close(descriptor) }

    /// Exactly `count` bytes from byte `offset` on. ``next(limit:)`` goes on where it was.
    ///
    /// - Throws: ``DataError`` if reading fails or the file ends before `offset + count`.
    package func bytes(at offset: Int, count: Int) throws -> [UInt8] {
        do throws(ReadFailure) { return try stored(UInt8.self, at: offset, count: count) } catch {
            switch error {
            case .system(let words):
                throw DataError(file: path, problem: "reading failed: \(words)", remedy: "check the file system")
            case .short:
                throw DataError(
                    file: path, problem: "the file became shorter while it was read",
                    remedy: "start again when it is complete")
            }
        }
    }

    /// `count` little-endian integers from byte `offset` on. Several threads may call this at once.
    ///
    /// Why: a mapped file that becomes shorter ends the process. A read gives an error.
    package func integers<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type, at offset: Int, count: Int
    ) throws(InputError) -> [Value] {
        do throws(ReadFailure) {
            let values = try stored(type, at: offset, count: count)
            return Value(littleEndian: 1) == 1 ? values : values.map { Value(littleEndian: $0) }
        } catch {
            switch error {
            case .system(let words):
                throw InputError(
                    file: path, problem: "reading failed: \(words)",
                    remedy: "check the file system, then run the same command again")
            case .short(let now):
                throw InputError(
                    file: path,
                    problem: "the file became shorter while it was in use: it had \(size) bytes and has \(now) now",
                    remedy: Self.changeRemedy)
            }
        }
    }

    /// The remedy for a file that changed while a run used it.
    package static let changeRemedy =
        "write it again completely, leave it alone while runs read it, and run the same command again"

    private enum ReadFailure: Error {
        /// The operating system's message.
        case system(String)
        /// The file's present size in bytes.
        case short(size: Int)
    }

    /// Values as the file stores them. The corresponding C function is `pread`.
    private func stored<Value: BitwiseCopyable>(
        _ type: Value.Type, at offset: Int, count: Int
    ) throws(ReadFailure) -> [Value] {
        precondition(offset >= 0 && count >= 0, "\(count) values at byte \(offset)")
        let wanted = count * MemoryLayout<Value>.stride
        var (failure, done): (String?, Int) = (nil, 0)
        let values = unsafe [Value](unsafeUninitializedCapacity: count) { memory, initializedCount in
            let bytes = UnsafeMutableRawBufferPointer(memory)
            while done < wanted {
                let got = retryingOnInterrupt {
                    unsafe pread(
                        descriptor, bytes.baseAddress.map { unsafe $0 + done }, wanted - done, off_t(offset + done))
                }
                if got < 0 { failure = lastSystemError() }
                if got <= 0 { break }
                done += got
            }
            initializedCount = done == wanted ? count : 0
        }
        if let failure { throw .system(failure) }
        guard done == wanted else {
            var status = stat()
            guard unsafe fstat(descriptor, &status) == 0 else { throw .system(lastSystemError()) }
            throw .short(size: Int(status.st_size))
        }
        return values
    }

    /// The next bytes, at most `limit`; nil at the end of the file. The corresponding C function is `read`.
    package func next(limit: Int = 1 << 20) throws -> [UInt8]? {
        var failure: String?
        let chunk = unsafe [UInt8](unsafeUninitializedCapacity: limit) { memory, initializedCount in
            let count = retryingOnInterrupt { unsafe read(descriptor, memory.baseAddress, limit) }
            if count < 0 { failure = lastSystemError() }
            initializedCount = max(count, 0)
        }
        if let failure {
            throw DataError(file: path, problem: "reading failed: \(failure)", remedy: "check the file system")
        }
        return chunk.isEmpty ? nil : chunk
    }
}
