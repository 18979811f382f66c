// SyntheticSource - the synthetic language as a domain: the paths `synthetic:train` and `synthetic:validation`.

internal import Digests
internal import InputFiles
internal import Tokenizers

/// Sequences of the embedded synthetic language. Training has no end and no repetition, validation 256 sequences.
public struct SyntheticSource: SequenceSource {
    /// Beginning of a path that names the language and no file.
    static let prefix = "synthetic:"
    /// Number of validation sequences.
    public static let heldOutCount = 256

    public let stream: SyntheticLanguage.Stream
    private let sequenceLength: Int

    /// - Throws: ``DataError`` for a path that is not one of the two, another tokenizer than `bytes`, or an endless
    ///   validation set.
    init(
        path: String, tokenizer: (any Tokenizer)?, sequenceLength: Int, purpose: DataPurpose,
        settings: DataSettingNames
    ) throws {
        switch path {
        case Self.prefix + "train": stream = .training
        case Self.prefix + "validation": stream = .validation
        default:
            throw DataError(
                problem: "\"\(path)\" is not a synthetic text",
                remedy: "allowed: \(Self.prefix)train and \(Self.prefix)validation")
        }
        guard tokenizer?.kind == "bytes" else {
            throw DataError(
                problem: "\(path) is spelled in bytes, \(settings.tokenizer) is \(tokenizer?.name ?? noTokenizerName)",
                remedy: "allowed: bytes")
        }
        guard stream == .validation || purpose == .training else {
            throw DataError(
                problem: "\(path) has no end, so that it cannot be evaluated",
                remedy: "validate on \(Self.prefix)validation")
        }
        self.sequenceLength = sequenceLength
    }

    public var sequenceCount: Int { stream == .training ? .max : Self.heldOutCount }

    /// T + 1 tokens for each validation sequence: they do not overlap.
    public var tokenCount: Int { stream == .training ? .max : Self.heldOutCount * (sequenceLength + 1) }

    public func sequence(_ s: Int) -> [Int32] {
        SyntheticLanguage.embedded.sequence(stream: stream, index: s, length: sequenceLength)
    }

    /// The stream's name and a hash of 64 sequences, which changes with the generator.
    public var fingerprint: String {
        let hasher = SHA256()
        for index in 0..<64 {
            let text = SyntheticLanguage.embedded.sequence(stream: stream, index: index, length: 255)
            hasher.update(data: text.map { UInt8(truncatingIfNeeded: $0) })
        }
        return "\(stream)-" + hexadecimalDigits(of: hasher.finalize())
    }
}
