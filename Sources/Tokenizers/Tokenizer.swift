// Tokenizer - text to token ids and back.

public import InputFiles

/// Turns documents into token ids. Ids are 0 ..< ``size``.
public protocol Tokenizer: Sendable {
    /// What the configuration and the checkpoints call it: `bytes`, or the name of a SentencePiece model's file.
    var name: String { get }
    /// Number of ids, the end token included: the smallest possible `vocab_size`.
    var size: Int { get }
    /// The id that follows each document.
    var endToken: Int32 { get }
    /// What a checkpoint stores so that it can be used without the tokenizer's file; empty if there is no file.
    var modelBytes: [UInt8] { get }
    /// Whether a text cut anywhere and encoded in pieces gives the same ids: then long documents are read in pieces.
    var splitsAnywhere: Bool { get }
    /// Whether every run of bytes is a text; otherwise texts are UTF-8, and other bytes are read as U+FFFD.
    var readsAnyBytes: Bool { get }

    /// The ids of a text, without end token.
    func encode(_ text: [UInt8]) throws -> [Int32]

    /// The text of ids; end tokens and ids that are not the tokenizer's give nothing.
    func decode(_ tokens: [Int32]) -> [UInt8]

    /// Consecutive parts of a text, whose ids by ``encode(_:part:)`` one after the other are those of the whole: what
    /// several threads can share.
    func parts(of text: [UInt8]) -> [Range<Int>]

    /// The ids of one of the ``parts(of:)`` a text.
    func encode(_ text: [UInt8], part: Range<Int>) throws -> [Int32]

    /// The bytes that `token` adds to a text behind the token `previous`: what text that is generated token by token is
    /// put together from.
    func bytes(of token: Int32, after previous: Int32) -> [UInt8]

    /// Bytes of text that `tokens` stand for where they follow `previous`; end tokens stand for none.
    func byteCount(of tokens: [Int32], after previous: Int32) -> Int
}

extension Tokenizer {
    public var splitsAnywhere: Bool { false }
    public var readsAnyBytes: Bool { false }

    /// What resumes compare: `bytes`, or `sentencepiece`, whose model is compared byte by byte and may have moved.
    public var kind: String { modelBytes.isEmpty ? name : "sentencepiece" }

    public func parts(of text: [UInt8]) -> [Range<Int>] { [0..<text.count] }

    public func encode(_ text: [UInt8], part: Range<Int>) throws -> [Int32] {
        try encode(part.count == text.count ? text : Array(text[part]))
    }

    public func bytes(of token: Int32, after previous: Int32) -> [UInt8] { decode([token]) }
}

/// The tokenizer that the configuration key `data.tokenizer` names: `bytes`, or the path of a SentencePiece model.
///
/// - Parameters:
///   - setting: the name or path.
///   - key: what errors name.
///   - needsEnd: whether documents must be ended; otherwise a model without an end token is no mistake.
/// - Throws: ``DataError`` for another name, and for a file that is no model that can be used.
public func makeTokenizer(
    _ setting: String, key: String = "data.tokenizer", needsEnd: Bool = true
) throws -> any Tokenizer {
    if setting == "bytes" { return ByteTokenizer() }
    do {
        guard setting.hasSuffix(SentencePieceTokenizer.suffix) else {
            throw DataError(
                problem: "\"\(setting)\" is no tokenizer",
                remedy: "allowed: bytes, or the path of a SentencePiece model, which ends in "
                    + SentencePieceTokenizer.suffix)
        }
        return try SentencePieceTokenizer(path: setting, needsEnd: needsEnd)
    } catch let error as DataError {
        throw error.with(key: key)
    }
}

/// What `data.tokenizer` says, and what a checkpoint calls its tokenizer, where there is none: ids come from prepared data.
public let noTokenizerName = "none"

/// The tokenizer of a configuration: ``makeTokenizer(_:key:needsEnd:)``, or nil for ``noTokenizerName``.
public func configuredTokenizer(_ setting: String) throws -> (any Tokenizer)? {
    setting == noTokenizerName ? nil : try makeTokenizer(setting)
}

/// The tokenizer that a checkpoint holds: no file is needed.
public enum CheckpointTokenizer: Sendable {
    case usable(any Tokenizer)
    /// There is none, or none with an end token: prepared data can be read, text cannot. The error says so.
    case unusable(DataError)

    /// - Parameters:
    ///   - name: as the checkpoint names it.
    ///   - modelBytes: as the checkpoint stores them.
    ///   - origin: the checkpoint's path, for errors.
    /// - Throws: ``DataError`` if the checkpoint has one that is no tokenizer of this program.
    public init(name: String, modelBytes: [UInt8], origin: String) throws {
        let remedy =
            "without one only prepared data can be read (eval --data PREFIX; training with data.tokenizer: \(noTokenizerName))"
            + "; for text, mile-dist export it and mile-dist import it with --tokenizer"
        if !modelBytes.isEmpty {
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

    /// The tokenizer, for what cannot do without.
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
