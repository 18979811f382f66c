// FileKind - the kind of file at a path.

internal import Glibc

/// The kind of file at a path.
package enum FileKind: Equatable {
    case missing
    case regular(size: Int)
    case directory
    /// A pipe or a device, which cannot be read twice.
    case other
    /// The operating system refuses to show the file; its message.
    case unreadable(String)

    /// The kind of the file at `path`. The corresponding C function is `stat`.
    package static func at(_ path: String) -> FileKind {
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

/// The operating system's message for the last failed call.
package func lastSystemError() -> String { unsafe String(cString: strerror(errno)) }

/// The remedy where no file is at a path.
package let fileRemedy = "give the path of a file, relative to the working directory"

/// The size of the regular file at `path`, at least one byte.
///
/// - Parameter directoryRemedy: the remedy where `path` is a directory.
/// - Throws: ``DataError`` for a missing or empty file, a directory, and any other path without a regular file.
package func requireFile(_ path: String, directoryRemedy: (String) -> String = { _ in fileRemedy }) throws -> Int {
    let remedy = fileRemedy
    switch FileKind.at(path) {
    case .regular(let size) where size > 0: return size
    case .regular: throw DataError(file: path, problem: "the file is empty", remedy: "give a file that holds text")
    case .missing: throw DataError(file: path, problem: "there is no such file", remedy: remedy)
    case .directory:
        throw DataError(file: path, problem: "this is a directory", remedy: directoryRemedy(path))
    case .other: throw DataError(file: path, problem: "this is no regular file", remedy: remedy)
    case .unreadable(let words):
        throw DataError(file: path, problem: "cannot be read: \(words)", remedy: "check its permissions")
    }
}
