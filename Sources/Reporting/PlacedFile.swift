// PlacedFile - whether a file that is open still has its name.

internal import Glibc

/// Whether a file that is open still has its name.
package enum PlacedFile {
    /// - Returns: true also where that cannot be told: a server that is away will answer later.
    package static func isInPlace(_ path: String, _ descriptor: Int32) -> Bool {
        var (named, opened) = (stat(), stat())
        guard unsafe stat(path, &named) == 0 else { return errno != ENOENT && errno != ENOTDIR }
        guard unsafe fstat(descriptor, &opened) == 0 else { return true }
        return named.st_dev == opened.st_dev && named.st_ino == opened.st_ino
    }
}
