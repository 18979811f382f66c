// FileStamp - size and modification time of a file, to notice changes.

internal import Glibc
internal import InputFiles

/// Size and modification time of a file, by which a change is noticed.
package struct FileStamp: Codable, Equatable, Sendable {
    package var size: Int
    /// Nanoseconds since 1970.
    var modified: Int

    /// The stamp of a stream, which has no time: its hash tells a change.
    package init(streamOf size: Int) {
        self.size = size
        modified = 0
    }

    /// The stamp of the regular, non-empty file at `path`.
    package init(_ path: String) throws {
        size = try requireTextFile(path)
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            throw DataError(
                file: path, problem: "cannot be read: \(lastSystemError())", remedy: "check its permissions")
        }
        modified = status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec
    }
}
