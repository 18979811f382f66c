// Files - what stands at the paths that a configuration names.

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
