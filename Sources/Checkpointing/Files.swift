// Files - checked file operations, and syncs that let a finished file survive a power cut.

internal import Glibc
internal import Primitives

/// File operations that throw ``CheckpointError`` with the file and the action.
package enum Files {
    /// The kind of thing at a path.
    package enum Status: Equatable {
        case absent
        case file(byteCount: Int)
        case directory
        case other
    }

    /// The kind of thing at `path`. Symbolic links are followed.
    package static func status(_ path: String) throws(CheckpointError) -> Status {
        var info = stat()
        guard unsafe stat(path, &info) == 0 else {
            let number = errno
            // A path through a file (ENOTDIR) does not exist either.
            if number == ENOENT || number == ENOTDIR { return .absent }
            throw .system(number, "look at the file", path)
        }
        switch info.st_mode & S_IFMT {
        case S_IFREG: return .file(byteCount: Int(info.st_size))
        case S_IFDIR: return .directory
        default: return .other
        }
    }

    /// Names in a directory, sorted, without `.` and `..`.
    package static func list(_ directory: String) throws(CheckpointError) -> [String] {
        guard let stream = unsafe opendir(directory) else { throw .system(errno, "list the directory", directory) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
                unsafe String(cString: UnsafeRawPointer(field).assumingMemoryBound(to: CChar.self))
            }
            if name != "." && name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw .system(errno, "list the directory", directory) }
        return names.sorted()
    }

    /// Makes `directory` and the ones above it where they do not exist.
    package static func makeDirectories(_ directory: String) throws(CheckpointError) {
        if try status(directory) == .directory { return }
        let parent = parent(of: directory)
        if parent != directory { try makeDirectories(parent) }
        guard unsafe mkdir(directory, 0o777) == 0 else {
            let number = errno
            if number == EEXIST, try status(directory) == .directory { return }
            throw .system(number, "create the directory", directory)
        }
    }

    /// Asks the system whether this user may make and remove files in `directory`.
    package static func requireWritable(_ directory: String) throws(CheckpointError) {
        guard unsafe access(directory, W_OK | X_OK) == 0 else {
            throw .system(errno, "write in the directory", directory)
        }
    }

    package static func rename(_ old: String, to new: String) throws(CheckpointError) {
        guard unsafe Glibc.rename(old, new) == 0 else { throw .system(errno, "rename it to \(new)", old) }
    }

    /// Removes a directory of plain files. A subdirectory is an error.
    /// Why: a checkpoint has none, so one that is found is somebody else's.
    package static func removeDirectory(_ directory: String) throws(CheckpointError) {
        for name in try list(directory) {
            let path = directory + "/" + name
            guard unsafe unlink(path) == 0 else { throw .system(errno, "remove the file", path) }
        }
        guard unsafe rmdir(directory) == 0 else { throw .system(errno, "remove the directory", directory) }
    }

    /// The bytes of a small file.
    ///
    /// - Throws: `corrupt` for a file that is longer than `limit` bytes.
    package static func read(_ path: String, limit: Int) throws(CheckpointError) -> [UInt8] {
        var bytes: [UInt8] = []
        try forEachBlock(of: path) { block throws(CheckpointError) in
            guard bytes.count + block.count <= limit else {
                throw CheckpointError(.corrupt, file: path, "the file is longer than \(limit) bytes")
            }
            bytes += block
        }
        return bytes
    }

    /// Hands the bytes of a file to `body`, block by block.
    package static func forEachBlock(
        of path: String, _ body: (ArraySlice<UInt8>) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(errno, "open the file", path) }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { memory in
                retryingOnInterrupt { unsafe Glibc.read(descriptor, memory.baseAddress, memory.count) }
            }
            guard count >= 0 else { throw .system(errno, "read the file", path) }
            if count == 0 { return }
            try body(buffer[..<count])
        }
    }

    /// Writes a new file with `bytes` and makes it durable.
    package static func write(_ bytes: [UInt8], to path: String) throws(CheckpointError) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .system(errno, "create the file", path) }
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes[written...].withUnsafeBytes { rest in
                retryingOnInterrupt { unsafe Glibc.write(descriptor, rest.baseAddress, rest.count) }
            }
            if count < 0 {
                let number = errno
                close(descriptor)
                throw .system(number, "write the file", path)
            }
            written += count
        }
        guard fsync(descriptor) == 0 else {
            let number = errno
            close(descriptor)
            throw .system(number, "sync the file to disk", path)
        }
        // Quota and network file systems report a failed write as late as here.
        guard close(descriptor) == 0 else { throw .system(errno, "close the file", path) }
    }

    /// Waits until the content of a file or the names in a directory are on disk. The corresponding C function is
    /// `fsync`.
    package static func sync(_ path: String) throws(CheckpointError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(errno, "open it to sync it to disk", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else {
            let number = errno
            // Some network file systems cannot sync a directory, and say so in this way.
            if number == EINVAL, try status(path) == .directory { return }
            throw .system(number, "sync it to disk", path)
        }
    }

    /// The directory that holds `path`.
    package static func parent(of path: String) -> String {
        let trimmed = trimmingSlashes(path)
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }

    /// The last component of `path`.
    package static func name(of path: String) -> String {
        let trimmed = trimmingSlashes(path)
        guard let slash = trimmed.lastIndex(of: "/") else { return trimmed }
        return String(trimmed[trimmed.index(after: slash)...])
    }

    /// `path` without slashes at its end.
    package static func trimmingSlashes(_ path: String) -> String {
        var trimmed = path[...]
        while trimmed.count > 1, trimmed.last == "/" { trimmed.removeLast() }
        return String(trimmed)
    }
}
