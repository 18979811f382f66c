// RowFile - a file that grows at its end: what MetricsFile needs of the system, and what tests put in its place.

internal import Foundation
internal import Glibc

/// What the system says of a call that failed.
struct SystemError: Error, CustomStringConvertible, Equatable {
    /// `errno`.
    let code: Int32

    var description: String { unsafe String(cString: strerror(code)) }

    /// Whether space, inodes or a quota are used up, so that permissions are not the remedy.
    var isWantOfSpace: Bool { code == ENOSPC || code == EDQUOT }
}

/// Writes at a place, as far as there is space.
protocol RowFile: Sendable {
    /// Writes the first of `bytes` at `offset`.
    ///
    /// - Returns: how many, at least one.
    func write(_ bytes: ArraySlice<UInt8>, at offset: UInt64) throws(SystemError) -> Int

    func truncate(to length: UInt64) throws(SystemError)

    /// Returns once what was written is on the disk; may be called on another thread.
    func synchronize() throws(SystemError)
}

/// A file of the file system.
final class SystemRowFile: RowFile {
    private let handle: FileHandle

    /// Opens it, and makes it where it is not there.
    init(path: String) throws {
        if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(fileURLWithPath: path)) }
        handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    }

    /// The corresponding C function is `pwrite`.
    func write(_ bytes: ArraySlice<UInt8>, at offset: UInt64) throws(SystemError) -> Int {
        while true {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe pwrite(handle.fileDescriptor, $0.baseAddress, $0.count, off_t(offset))
            }
            if count > 0 { return count }
            let code = count < 0 ? errno : EIO
            guard code == EINTR else { throw SystemError(code: code) }
        }
    }

    func truncate(to length: UInt64) throws(SystemError) {
        guard ftruncate(handle.fileDescriptor, off_t(length)) == 0 else { throw SystemError(code: errno) }
    }

    func synchronize() throws(SystemError) {
        guard fsync(handle.fileDescriptor) == 0 else { throw SystemError(code: errno) }
    }

    /// Where the last line that has an end ends.
    func lengthOfWholeLines() throws -> UInt64 {
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
