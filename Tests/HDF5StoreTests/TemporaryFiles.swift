// TemporaryFiles - a directory per test, and raw access to the bytes of files in it.

import FoundationEssentials

/// A new directory, removed when the last reference goes.
final class TemporaryFiles: Sendable {
    let directory: String

    init() throws {
        let base = FileManager.default.temporaryDirectory.path
        directory = "\(base)/mile-hdf5-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func path(_ name: String) -> String { directory + "/" + name }

    func bytes(of path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(filePath: path)))
    }

    func overwrite(_ path: String, with bytes: [UInt8]) throws { try Data(bytes).write(to: URL(filePath: path)) }
}
