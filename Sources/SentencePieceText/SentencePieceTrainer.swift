// SentencePieceTrainer - trains SentencePiece models on sentences.

internal import CSentencePiece

/// Settings of a training. The defaults are those of LLaMA's tokenizer where the library has others.
public struct SentencePieceTraining: Sendable, Equatable {
    /// The algorithm that cuts texts: merged pairs, or the likeliest pieces.
    public enum Method: String, Sendable, CaseIterable {
        case bpe
        case unigram
    }

    public var method: Method
    /// Number of ids, special ones and bytes included.
    public var vocabularySize: Int
    /// Share of the sentences' characters that get an id; the rarest characters get none.
    public var characterCoverage: Double
    /// Whether characters without an id are written as byte pieces. Otherwise they are unknown.
    public var hasByteFallback: Bool
    /// Whether each digit is a piece.
    public var splitsDigits: Bool
    /// The library's name of a rule that replaces characters before a text is cut: `identity`, `nfkc`, `nmt_nfkc`, ...
    public var normalization: String
    public var threadCount: Int
    /// Whether the library logs its progress on standard error. It always logs errors.
    public var isVerbose: Bool

    public static let normalizations = ["identity", "nfkc", "nmt_nfkc", "nfkc_cf", "nmt_nfkc_cf"]
    /// The range that the library allows.
    public static let characterCoverages = 0.98...1
    public static let threadCounts = 1...128
    /// Longest sentence in bytes: the library's default.
    public static let longestSentence = 4192

    public init(
        method: Method = .bpe, vocabularySize: Int = 32000, characterCoverage: Double = 0.99995,
        hasByteFallback: Bool = true, splitsDigits: Bool = true, normalization: String = "identity",
        threadCount: Int = 1, isVerbose: Bool = false
    ) {
        self.method = method
        self.vocabularySize = vocabularySize
        self.characterCoverage = characterCoverage
        self.hasByteFallback = hasByteFallback
        self.splitsDigits = splitsDigits
        self.normalization = normalization
        self.threadCount = threadCount
        self.isVerbose = isVerbose
    }

    /// Whether the library learns from a sentence: at most ``longestSentence`` bytes of UTF-8, not blank, and without
    /// U+2585, which marks unknown pieces.
    public static func accepts(_ sentence: [UInt8]) -> Bool {
        guard sentence.count <= longestSentence, let text = String(validating: sentence, as: UTF8.self) else {
            return false
        }
        return !text.unicodeScalars.contains { $0.value == 0x2585 }
            && text.unicodeScalars.contains { $0.value > 0x20 && !$0.properties.isWhitespace && $0.value != 0x2581 }
    }
}

public enum SentencePieceTrainer {
    /// Trains a model, which may take minutes.
    ///
    /// - Parameter sentences: sentences that ``SentencePieceTraining/accepts(_:)`` accepts.
    /// - Returns: the bytes of a `.model` file.
    /// - Throws: ``SentencePieceError`` if the library finds no such model, for example because the sentences have too
    ///   few pieces.
    public static func train(
        on sentences: [[UInt8]], _ settings: SentencePieceTraining
    ) throws(SentencePieceError) -> [UInt8] {
        // Why: without sentences the library would end the program.
        guard !sentences.isEmpty else { throw SentencePieceError(.untrainable, "there are no sentences to learn from") }
        precondition(sentences.allSatisfy(SentencePieceTraining.accepts), "a sentence that the library leaves out")
        guard let size = Int32(exactly: settings.vocabularySize), size > 0 else {
            throw SentencePieceError(.untrainable, "no vocabulary has \(settings.vocabularySize) ids")
        }
        precondition(SentencePieceTraining.characterCoverages.contains(settings.characterCoverage))
        precondition(SentencePieceTraining.threadCounts.contains(settings.threadCount))
        var text: [UInt8] = []
        text.reserveCapacity(sentences.reduce(0) { $0 + $1.count })
        var ends: [Int] = []
        for sentence in sentences {
            text += sentence
            ends.append(text.count)
        }
        var (model, count): (UnsafeMutablePointer<UInt8>?, Int) = (nil, 0)
        let normalization = settings.normalization.utf8CString
        try unsafe checked(.untrainable, "no model was made") { error in
            unsafe normalization.withUnsafeBufferPointer { name in
                let arguments = unsafe csp_training(
                    is_bpe: settings.method == .bpe ? 1 : 0, vocab_size: size,
                    character_coverage: settings.characterCoverage, byte_fallback: settings.hasByteFallback ? 1 : 0,
                    split_digits: settings.splitsDigits ? 1 : 0, allow_whitespace_only_pieces: 1,
                    num_threads: Int32(settings.threadCount),
                    max_sentence_length: Int32(SentencePieceTraining.longestSentence),
                    normalization_rule_name: name.baseAddress,
                    remove_extra_whitespaces: 0,
                    is_verbose: settings.isVerbose ? 1 : 0)
                return unsafe csp_train(text, ends, ends.count, arguments, &model, &count, error)
            }
        }
        return unsafe taken(model, count: count)
    }
}
