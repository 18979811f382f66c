// Tokenizer - text to token ids and back.

/// Turns documents into token ids. Ids are 0 ..< ``size``.
public protocol Tokenizer: Sendable {
    /// What the configuration and the checkpoints call it, for example `bytes`.
    var name: String { get }
    /// Number of ids, the end token included: the smallest possible `vocab_size`.
    var size: Int { get }
    /// The id that follows each document.
    var endToken: Int32 { get }
    /// What a checkpoint stores so that it can be used without the tokenizer's file; empty if there is no file.
    var modelBytes: [UInt8] { get }
    /// Whether a text cut anywhere and encoded in pieces gives the same ids: then long documents are read in pieces.
    var splitsAnywhere: Bool { get }

    /// The ids of a text, without end token.
    func encode(_ text: [UInt8]) throws -> [Int32]

    /// The text of ids; end tokens and ids that are not the tokenizer's give nothing.
    func decode(_ tokens: [Int32]) -> [UInt8]

    /// Bytes of text that `tokens` stand for where they follow `previous`; end tokens stand for none.
    func byteCount(of tokens: [Int32], after previous: Int32) -> Int
}

extension Tokenizer {
    public var splitsAnywhere: Bool { false }
}

/// The tokenizer that the configuration key `data.tokenizer` names.
///
/// - Throws: ``DataError`` for anything but `bytes`.
public func makeTokenizer(_ setting: String) throws -> any Tokenizer {
    guard setting == "bytes" else {
        throw DataError(
            key: "data.tokenizer", problem: "\"\(setting)\" is not a tokenizer of this version",
            remedy: "allowed: bytes (SentencePiece models are not read by this version)")
    }
    return ByteTokenizer()
}
