// CheckpointTokenizer - the tokenizer that a checkpoint holds, if it can encode text.

public import InputFiles

/// The tokenizer that a checkpoint holds. It needs no file.
public enum CheckpointTokenizer: Sendable {
    case usable(any Tokenizer)
    /// The checkpoint has no tokenizer, or one without an end token. It can read prepared data only; the error says
    /// why.
    case unusable(DataError)

    /// - Parameters:
    ///   - name: the tokenizer's name in the checkpoint.
    ///   - modelBytes: the model in the checkpoint; empty for `bytes` and for none.
    ///   - endToken: id of the token that ends documents, which a `tokenizer.json` does not say itself.
    ///   - origin: the checkpoint's path, for errors.
    /// - Throws: ``DataError`` if the model's bytes are no SentencePiece model, or no `tokenizer.json`, as its name says.
    public init(name: String, modelBytes: [UInt8], endToken: Int? = nil, origin: String) throws {
        let remedy =
            "without one only prepared data can be read (eval --data PREFIX; training with data.tokenizer: \(noTokenizerName))"
            + "; for text, mile-dist export it and mile-dist import it with --tokenizer"
        if !modelBytes.isEmpty, name.hasSuffix(JSONTokenizer.suffix) {
            let tokenizer = try JSONTokenizer(
                modelBytes: modelBytes, name: name, origin: origin, endToken: endToken.map { Int32(clamping: $0) })
            self =
                endToken != nil
                ? .usable(tokenizer)
                : .unusable(
                    DataError(
                        file: origin,
                        problem: "the checkpoint does not say which token of \(name) ends documents",
                        remedy: remedy + " and --end-token, or train from it with data.end_token"))
        } else if !modelBytes.isEmpty {
            do {
                self = .usable(try SentencePieceTokenizer(reading: modelBytes, name: name, origin: origin))
            } catch is MissingEndToken {
                self = .unusable(
                    DataError(
                        file: origin,
                        problem: "the model's tokenizer, \(name), has no end token (eos, \"</s>\"), which ends "
                            + "documents",
                        remedy: remedy + " and a \(name) that has one"))
            }
        } else if name == "bytes" {
            self = .usable(ByteTokenizer())
        } else {
            self = .unusable(
                DataError(
                    file: origin, problem: "the checkpoint has no tokenizer", remedy: remedy))
        }
    }

    public var tokenizer: (any Tokenizer)? {
        if case .usable(let tokenizer) = self { tokenizer } else { nil }
    }

    /// The tokenizer, for an option that needs one.
    ///
    /// - Parameter key: the option that needs it.
    /// - Throws: the error of ``unusable(_:)``.
    public func required(by key: String) throws -> any Tokenizer {
        switch self {
        case .usable(let tokenizer): return tokenizer
        case .unusable(let error): throw error.with(key: key)
        }
    }
}
