// Files - temporary files and the shared data of these tests.

package import Foundation
package import TokenData
internal import Tokenizers

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

/// Loads the domains of `configuration` for one purpose, with the tokenizer that it names.
package func loadDomains(
    _ configuration: DataConfiguration, vocabularySize: Int, purpose: DataPurpose, threads: Int = 1,
    progress: (String) -> Void = { _ in }
) throws -> [TokenDomain] {
    try TokenData.loadDomains(
        configuration, vocabularySize: vocabularySize, purpose: purpose,
        tokenizer: configuredTokenizer(configuration.tokenizer), threads: threads, progress: progress)
}

/// Loads one file as the only training domain.
package func load(_ path: String, sequenceLength: Int = 4, vocabularySize: Int = 257) throws -> any SequenceSource {
    let configuration = DataConfiguration(
        train: [DataConfiguration.Domain(name: "only", path: path)], sequenceLength: sequenceLength)
    return try loadDomains(configuration, vocabularySize: vocabularySize, purpose: .training)[0].source
}

/// All tokens that the sequences of a source cover.
package func covered(_ source: any SequenceSource) throws -> [Int32] {
    var tokens: [Int32] = []
    for number in 0..<source.sequenceCount {
        tokens += try source.sequence(number)
        // The first of the next one, or the last of all.
        if number + 1 < source.sequenceCount { tokens.removeLast() }
    }
    return tokens
}

/// A source that says where its sequences come from: ids are the number of the sequence.
package struct NumberedSource: SequenceSource {
    package var sequenceCount: Int
    package var length: Int
    package var fingerprint: String

    package init(sequenceCount: Int, length: Int = 1, fingerprint: String = "numbers") {
        self.sequenceCount = sequenceCount
        self.length = length
        self.fingerprint = fingerprint
    }

    package var tokenCount: Int { sequenceCount == .max ? .max : sequenceCount * length + 1 }
    package func sequence(_ s: Int) -> [Int32] { [Int32](repeating: Int32(truncatingIfNeeded: s), count: length + 1) }
}
