// SmallDisk - a full disk, when a test needs one.

import Glibc
import TestSupport

/// A file system in memory with room for little, mounted in a test's folder until the object goes.
final class SmallDisk {
    private let folder: TemporaryFolder
    private let name: String

    /// Whether this process may mount at all: tried, because rights depend on more than the user.
    static let isAvailable: Bool = {
        guard let folder = try? TemporaryFolder(), let disk = try? SmallDisk(in: folder, "try", kibibytes: 1024) else {
            return false
        }
        withExtendedLifetime(disk) {}
        return true
    }()

    convenience init(in folder: TemporaryFolder, _ name: String, mebibytes: Int) throws {
        try self.init(in: folder, name, kibibytes: mebibytes << 10)
    }

    init(in folder: TemporaryFolder, _ name: String, kibibytes: Int) throws {
        self.folder = folder
        self.name = name
        try folder.makeFolder(name)
        let result = try Self.run(
            ["mount", "-t", "tmpfs", "-o", "size=\(kibibytes)k,mode=1777", "tmpfs", folder.path(name)], in: folder)
        guard result.status == 0 else { throw UnexpectedText("\(result)") }
    }

    deinit {
        // Lazily: a program that a failed test left behind may still have files open.
        _ = try? Self.run(["umount", "-l", folder.path(name)], in: folder)
    }

    /// Writes a file until nothing more fits.
    func fill() {
        let descriptor = unsafe open(folder.path("\(name)/filler"), O_WRONLY | O_CREAT | O_APPEND, 0o666)
        let block = [UInt8](repeating: 1, count: 4096)
        while unsafe write(descriptor, block, block.count) > 0 {}
        close(descriptor)
    }

    /// Removes that file.
    func empty() { unsafe unlink(folder.path("\(name)/filler")) }

    private static func run(_ command: [String], in folder: TemporaryFolder) throws -> ProgramResult {
        try RunningProgram(tool: "/usr/bin/env", command, in: folder.path).wait(limit: 20)
    }
}
