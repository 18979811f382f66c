// Files - opening, reading and mapping the files that a configuration names.

internal import Glibc

/// What stands at a path.
enum FileKind: Equatable {
    case missing
    case regular(size: Int)
    case directory
    /// A pipe, a device: what cannot be read twice.
    case other
    /// Something that the operating system does not let us see.
    case unreadable(String)

    /// The corresponding C function is `stat`.
    static func at(_ path: String) -> FileKind {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            return errno == ENOENT || errno == ENOTDIR ? .missing : .unreadable(lastSystemError())
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .regular(size: Int(status.st_size))
        case S_IFDIR: return .directory
        default: return .other
        }
    }
}

/// What tells that a file is still the one that it was.
struct FileStamp: Codable, Equatable, Sendable {
    var size: Int
    /// Nanoseconds since 1970.
    var modified: Int

    /// Of the regular file at `path`, which is not empty.
    init(_ path: String) throws {
        size = try requireFile(path)
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            throw DataError(
                file: path, problem: "cannot be read: \(lastSystemError())", remedy: "check its permissions")
        }
        modified = status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec
    }
}

/// The operating system's words for the last failed call.
func lastSystemError() -> String { unsafe String(cString: strerror(errno)) }

/// The size of the regular file at `path`, at least one byte.
///
/// - Throws: ``DataError`` if there is no such file, if it is a directory or no regular file, or if it is empty.
func requireFile(_ path: String) throws -> Int {
    let remedy = "give the path of a file, relative to the working directory"
    switch FileKind.at(path) {
    case .regular(let size) where size > 0: return size
    case .regular: throw DataError(file: path, problem: "the file is empty", remedy: "give a file that holds text")
    case .missing: throw DataError(file: path, problem: "there is no such file", remedy: remedy)
    case .directory: throw DataError(file: path, problem: "this is a directory", remedy: remedy)
    case .other: throw DataError(file: path, problem: "this is no regular file", remedy: remedy)
    case .unreadable(let words):
        throw DataError(file: path, problem: "cannot be read: \(words)", remedy: "check its permissions")
    }
}

/// A file descriptor open for reading that closes itself.
final class ReadableFile {
    private let path: String
    fileprivate let descriptor: Int32

    /// Opens a regular, non-empty file. The corresponding C function is `open`.
    init(path: String) throws {
        _ = try requireFile(path)
        var descriptor: Int32
        repeat { descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC) } while descriptor < 0 && errno == EINTR
        guard descriptor >= 0 else {
            throw DataError(
                file: path, problem: "cannot be read: \(lastSystemError())", remedy: "check its permissions")
        }
        self.path = path
        self.descriptor = descriptor
    }

    // Nothing was written, so a failing close loses nothing.
    deinit { _ = close(descriptor) }

    /// Exactly `count` bytes from byte `offset` on; ``next(limit:)`` does not notice. The corresponding C function is
    /// `pread`.
    ///
    /// - Throws: ``DataError`` also if the file ends before.
    func bytes(at offset: Int, count: Int) throws -> [UInt8] {
        var (failure, done): (String?, Int) = (nil, 0)
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { memory, initializedCount in
            while done < count {
                let got = unsafe pread(
                    descriptor, memory.baseAddress.map { unsafe $0 + done }, count - done, off_t(offset + done))
                if got < 0 && errno == EINTR { continue }
                if got < 0 { failure = lastSystemError() }
                if got <= 0 { break }
                done += got
            }
            initializedCount = done
        }
        if let failure {
            throw DataError(file: path, problem: "reading failed: \(failure)", remedy: "check the file system")
        }
        guard done == count else {
            throw DataError(
                file: path, problem: "the file became shorter while it was read",
                remedy: "start again when it is complete")
        }
        return bytes
    }

    /// The next bytes, at most `limit`; nil at the end of the file. The corresponding C function is `read`.
    func next(limit: Int = 1 << 20) throws -> [UInt8]? {
        var failure: String?
        let chunk = unsafe [UInt8](unsafeUninitializedCapacity: limit) { memory, initializedCount in
            var count: Int
            repeat { count = unsafe read(descriptor, memory.baseAddress, limit) } while count < 0 && errno == EINTR
            if count < 0 { failure = lastSystemError() }
            initializedCount = max(count, 0)
        }
        if let failure {
            throw DataError(file: path, problem: "reading failed: \(failure)", remedy: "check the file system")
        }
        return chunk.isEmpty ? nil : chunk
    }
}

/// A whole file mapped read-only into memory.
///
/// `@unchecked Sendable`: the memory is never written and lives as long as the object.
@safe final class MappedFile: @unchecked Sendable {
    let path: String
    let count: Int
    private let base: UnsafeRawPointer

    /// Maps a regular, non-empty file. The corresponding C function is `mmap`.
    init(path: String) throws {
        let file = try ReadableFile(path: path)
        var status = stat()
        guard unsafe fstat(file.descriptor, &status) == 0, status.st_size > 0 else {
            throw DataError(file: path, problem: "the file is empty", remedy: "give a file that holds tokens")
        }
        let size = Int(status.st_size)
        let mapping = unsafe mmap(nil, size, PROT_READ, MAP_SHARED, file.descriptor, 0)
        guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else {
            throw DataError(
                file: path, problem: "cannot be mapped into memory: \(lastSystemError())",
                remedy: "check the limit on address space (ulimit -v)")
        }
        self.path = path
        count = size
        unsafe base = UnsafeRawPointer(mapping)
    }

    // Unmapping what was mapped cannot fail.
    deinit { _ = unsafe munmap(UnsafeMutableRawPointer(mutating: base), count) }

    /// The little-endian integer at byte `offset`; traps outside the file.
    @inline(__always)
    func load<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type, at offset: Int) -> Value {
        precondition(offset >= 0 && offset <= count - MemoryLayout<Value>.size, "byte \(offset) of \(count)")
        return unsafe Value(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }
}
