// OutputFile - checked writing of files and folders, in an order that survives a power cut.

internal import Foundation
internal import Glibc
internal import Primitives

/// A file that could not be written, or not read again. The machine is at fault, not the data.
public struct OutputError: Error, CustomStringConvertible, Equatable {
    public let path: String
    public let problem: String
    public let remedy: String

    public var description: String { "\(path): \(problem); \(remedy)" }

    init(_ path: String, _ problem: String, remedy: String = "look at the file system, then run the same command again")
    {
        self.path = path
        self.problem = problem
        self.remedy = remedy
    }

    /// The error of a failed system call with this `errno`.
    static func system(_ path: String, _ action: String, _ number: Int32) -> OutputError {
        let words = unsafe String(cString: strerror(number))
        let isSpace = number == ENOSPC || number == EDQUOT
        return OutputError(
            path, "cannot \(action): \(words)",
            remedy: isSpace
                ? "free some space and run the same command again: it goes on with the parts that are done"
                : "look at the file system, then run the same command again")
    }
}

/// The little-endian bytes of integers.
func littleEndianBytes<Value: FixedWidthInteger & BitwiseCopyable>(_ values: [Value]) -> [UInt8] {
    let ordered = values.map(\.littleEndian)
    return unsafe ordered.withUnsafeBytes { unsafe Array($0) }
}

/// A new file that is written from its start to its end.
final class OutputFile {
    private static let bufferSize = 1 << 20

    private let path: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var isClosed = false
    /// Bytes written so far.
    private(set) var count = 0

    /// Creates the file, or empties an existing one. The corresponding C function is `open`.
    init(path: String) throws(OutputError) {
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .system(path, "be created", errno) }
        self.path = path
    }

    // Reached only after an error, which tells more than an error of `close`.
    deinit { if !isClosed { _ = close(descriptor) } }

    func write(_ bytes: [UInt8]) throws(OutputError) {
        count += bytes.count
        // Large pieces bypass the buffer.
        if bytes.count >= Self.bufferSize {
            try flush()
            return try writeAll(bytes, at: nil)
        }
        buffer += bytes
        if buffer.count >= Self.bufferSize { try flush() }
    }

    /// Replaces the bytes from `offset` on by `bytes`.
    func overwrite(_ bytes: [UInt8], at offset: Int) throws(OutputError) {
        try flush()
        try writeAll(bytes, at: offset)
    }

    /// Reads `count` written bytes from `offset` on.
    func bytes(at offset: Int, count: Int) throws(OutputError) -> [UInt8] {
        try flush()
        var (code, done): (Int32, Int) = (0, 0)
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { memory, initializedCount in
            while done < count {
                let address = unsafe memory.baseAddress.map { unsafe $0 + done }
                let got = retryingOnInterrupt { unsafe pread(descriptor, address, count - done, off_t(offset + done)) }
                if got < 0 { code = errno }
                if got <= 0 { break }
                done += got
            }
            initializedCount = done
        }
        guard code == 0 else { throw .system(path, "be read", code) }
        guard done == count else { throw OutputError(path, "is shorter than what was written to it") }
        return bytes
    }

    private func flush() throws(OutputError) {
        guard !buffer.isEmpty else { return }
        try writeAll(buffer, at: nil)
        buffer.removeAll(keepingCapacity: true)
    }

    /// The corresponding C functions are `write` and `pwrite`.
    private func writeAll(_ bytes: [UInt8], at offset: Int?) throws(OutputError) {
        var (code, done): (Int32, Int) = (0, 0)
        unsafe bytes.withUnsafeBytes { memory in
            while done < bytes.count {
                let address = unsafe memory.baseAddress.map { unsafe $0 + done }
                let rest = bytes.count - done
                let put = retryingOnInterrupt {
                    if let offset {
                        unsafe pwrite(descriptor, address, rest, off_t(offset + done))
                    } else {
                        unsafe Glibc.write(descriptor, address, rest)
                    }
                }
                if put < 0 { code = errno }
                if put <= 0 { break }
                done += put
            }
        }
        guard code == 0 else { throw .system(path, "be written", code) }
        guard done == bytes.count else { throw OutputError(path, "cannot be written to its end") }
    }

    /// Writes the buffer, and closes the file.
    ///
    /// - Parameter synced: whether to wait until all bytes are on the disk.
    func finish(synced: Bool) throws(OutputError) {
        try flush()
        if synced, fsync(descriptor) != 0 { throw .system(path, "be written to the disk", errno) }
        isClosed = true
        // Quotas and network file systems report a failed write as late as `close`.
        guard close(descriptor) == 0 else { throw .system(path, "be closed", errno) }
    }
}

/// Operations on folders and names of files.
enum OutputFolder {
    /// Creates `path` and the folders above it, if they are missing.
    static func make(_ path: String) throws(OutputError) {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw OutputError(
                path, "the directory cannot be made: \(error.localizedDescription)",
                remedy: "choose an --output in a directory that this user may write")
        }
    }

    /// Names in a folder, sorted.
    static func names(_ path: String) throws(OutputError) -> [String] {
        do { return try FileManager.default.contentsOfDirectory(atPath: path).sorted() } catch {
            throw OutputError(path, "the directory cannot be listed: \(error.localizedDescription)")
        }
    }

    /// The corresponding C function is `rename`.
    static func rename(_ old: String, to new: String) throws(OutputError) {
        guard unsafe Glibc.rename(old, new) == 0 else { throw .system(old, "be renamed to \(new)", errno) }
    }

    /// Removes a file, if it exists. The corresponding C function is `unlink`.
    static func remove(_ path: String) throws(OutputError) {
        guard unsafe unlink(path) == 0 || errno == ENOENT else { throw .system(path, "be removed", errno) }
    }

    /// Removes an empty folder, if it exists. The corresponding C function is `rmdir`.
    static func removeEmpty(_ path: String) throws(OutputError) {
        guard unsafe rmdir(path) == 0 || errno == ENOENT else { throw .system(path, "be removed", errno) }
    }

    /// Writes a small file, which is afterwards complete or absent.
    static func write(_ text: String, to path: String) throws(OutputError) {
        let file = try OutputFile(path: path + ".new")
        try file.write(Array(text.utf8))
        try file.finish(synced: true)
        try rename(path + ".new", to: path)
    }

    /// Waits until the names in a folder are on the disk. The corresponding C function is `fsync`.
    static func sync(_ path: String) throws(OutputError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(path, "be opened", errno) }
        defer { _ = close(descriptor) }
        // Some network file systems cannot sync a directory, and return EINVAL.
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw .system(path, "be written to the disk", errno) }
    }

    /// The folder that holds `path`.
    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
