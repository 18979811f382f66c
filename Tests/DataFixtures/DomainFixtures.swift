// DomainFixtures - domains loaded from a file, all their tokens, and a source of numbered sequences.

package import TokenData
internal import Tokenizers

/// Loads the domains of `configuration` for one purpose, with the tokenizer that it names.
package func loadDomains(
    _ configuration: DataConfiguration, vocabularySize: Int, purpose: DataPurpose, threads: Int = 1,
    progress: (String) -> Void = { _ in }, warn: (String) -> Void = { _ in }
) throws -> [TokenDomain] {
    try TokenData.loadDomains(
        configuration, vocabularySize: vocabularySize, purpose: purpose,
        tokenizer: configuredTokenizer(configuration.tokenizer), threads: threads, progress: progress,
        warn: warn)
}

/// Loads one file as the only training domain.
package func load(_ path: String, sequenceLength: Int = 4, vocabularySize: Int = 257) throws -> any SequenceSource {
    let configuration = DataConfiguration(
        train: [DataConfiguration.Domain(name: "only", path: path)], sequenceLength: sequenceLength)
    return try loadDomains(configuration, vocabularySize: vocabularySize, purpose: .training)[0].source
}

/// The tokens of all sequences of a source, each token once.
package func covered(_ source: any SequenceSource) throws -> [Int32] {
    var tokens: [Int32] = []
    for number in 0..<source.sequenceCount {
        tokens += try source.sequence(number)
        // The last token is the first of the next sequence.
        if number + 1 < source.sequenceCount { tokens.removeLast() }
    }
    return tokens
}

/// A source whose ids are the index of their sequence.
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
