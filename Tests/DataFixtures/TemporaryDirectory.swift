// TemporaryDirectory - temporary files of the data tests, and the folder of shared texts.

package import Foundation

/// A directory that goes away with its owner.
package final class TemporaryDirectory: Sendable {
    package let url: URL

    package init() throws {
        url = FileManager.default.temporaryDirectory.appending(component: "mile-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// Writes a file and returns its path.
    package func write(_ name: String, _ content: [UInt8]) throws -> String {
        let file = url.appending(component: name)
        try Data(content).write(to: file)
        return file.path
    }

    package func write(_ name: String, _ content: String) throws -> String { try write(name, Array(content.utf8)) }

    package func read(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: url.appending(component: name))) }

    package func path(_ name: String) -> String { url.appending(component: name).path }
}

/// The folder of real texts beside the package, which not every checkout has.
package let sharedData = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(components: "shared", "data")

package let hasSharedData = FileManager.default.fileExists(atPath: sharedData.appending(component: "README.md").path)
