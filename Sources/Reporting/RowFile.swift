// RowFile - a file that grows at its end: a protocol, which tests implement too, and the file of the system.

internal import Foundation
internal import Glibc
internal import Primitives
internal import Synchronization

/// A system call that failed.
package struct SystemError: Error, CustomStringConvertible, Equatable {
    /// `errno`.
    package let code: Int32

    package init(code: Int32) {
        self.code = code
    }

    package var description: String { unsafe String(cString: strerror(code)) }

    /// Whether space, inodes or a quota are used up, so that permissions are not the remedy.
    package var isWantOfSpace: Bool { code == ENOSPC || code == EDQUOT }
}

/// A file that is written at offsets, as far as there is space.
package protocol RowFile: Sendable {
    /// Writes the first of `bytes` at `offset`.
    ///
    /// - Returns: the number of written bytes, at least one.
    func write(_ bytes: ArraySlice<UInt8>, at offset: UInt64) throws(SystemError) -> Int

    func truncate(to length: UInt64) throws(SystemError)

    /// Returns once the written bytes are on the disk; may be called on another thread.
    func synchronize() throws(SystemError)

    /// Opens the file again where somebody has removed or replaced it.
    ///
    /// - Returns: nil if the open file is still in its place; otherwise the offset of the next row in the new file.
    /// - Throws: when it cannot be opened; nothing has changed then, and the next call tries again.
    func restore() throws(SystemError) -> UInt64?
}

/// A file of the file system.
package final class SystemRowFile: RowFile {
    private let path: String
    /// The open file. After ``restore()`` it is another one, while a thread that synchronizes keeps the earlier one
    /// open.
    private let current: Mutex<FileHandle>

    private var handle: FileHandle { current.withLock { $0 } }

    /// Opens the file, and creates it where it is missing.
    package init(path: String) throws {
        self.path = path
        current = Mutex(FileHandle(fileDescriptor: try Self.open(path), closeOnDealloc: true))
    }

    private static func open(_ path: String) throws(SystemError) -> Int32 {
        let descriptor = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw SystemError(code: errno) }
        return descriptor
    }

    package func restore() throws(SystemError) -> UInt64? {
        guard !PlacedFile.isInPlace(path, handle.fileDescriptor) else { return nil }
        let opened = FileHandle(fileDescriptor: try Self.open(path), closeOnDealloc: true)
        let end: UInt64
        do {
            end = try Self.lengthOfWholeLines(opened)
            try Self.truncate(opened, to: end)
        } catch {
            throw (error as? SystemError) ?? SystemError(code: FileErrors.code(error) ?? EIO)
        }
        // Last: after a failure the earlier file is still the current one, and the next call tries again.
        current.withLock { $0 = opened }
        return end
    }

    /// The corresponding C function is `pwrite`.
    package func write(_ bytes: ArraySlice<UInt8>, at offset: UInt64) throws(SystemError) -> Int {
        let handle = handle
        let count = unsafe bytes.withUnsafeBytes { memory in
            retryingOnInterrupt {
                unsafe pwrite(handle.fileDescriptor, memory.baseAddress, memory.count, off_t(offset))
            }
        }
        guard count > 0 else { throw SystemError(code: count < 0 ? errno : EIO) }
        return count
    }

    package func truncate(to length: UInt64) throws(SystemError) { try Self.truncate(handle, to: length) }

    private static func truncate(_ handle: FileHandle, to length: UInt64) throws(SystemError) {
        guard ftruncate(handle.fileDescriptor, off_t(length)) == 0 else { throw SystemError(code: errno) }
    }

    package func synchronize() throws(SystemError) {
        let handle = handle
        guard fsync(handle.fileDescriptor) == 0 else { throw SystemError(code: errno) }
    }

    /// The end of the last whole line, as an offset in bytes.
    package func lengthOfWholeLines() throws -> UInt64 { try Self.lengthOfWholeLines(handle) }

    private static func lengthOfWholeLines(_ handle: FileHandle) throws -> UInt64 {
        var end = try handle.seekToEnd()
        // Rows are short: a few kilobytes from the end hold the last line break.
        while end > 0 {
            let start = end > 4096 ? end - 4096 : 0
            try handle.seek(toOffset: start)
            let piece = try handle.read(upToCount: Int(end - start)) ?? Data()
            if let last = piece.lastIndex(of: UInt8(ascii: "\n")) {
                return start + UInt64(last - piece.startIndex) + 1
            }
            end = start
        }
        return 0
    }
}
