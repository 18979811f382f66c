// Tokenizer - text to token ids and back.

internal import InputFiles
internal import SentencePieceText

/// Turns documents into token ids. Ids are 0 ..< ``size``.
public protocol Tokenizer: Sendable {
    /// Name in the configuration and in checkpoints: `bytes`, or the name of the model's file.
    var name: String { get }
    /// Number of ids, the end token included: the smallest possible `vocab_size`.
    var size: Int { get }
    /// The id that follows each document.
    var endToken: Int32 { get }
    /// The ids that the template of the tokenizer puts before a text, such as BOS; empty for none. Training and
    /// generation leave them out; scores of tasks have them.
    var leadingTokens: [Int32] { get }
    /// The model that a checkpoint stores, so that the file is not needed again; empty for a tokenizer without a file.
    var modelBytes: [UInt8] { get }
    /// Kind of tokenizer that a resume compares: `bytes`, `sentencepiece` or `tokenizer.json`. The model itself is compared
    /// byte by byte.
    var kind: String { get }
    /// Whether a text may be cut anywhere without a change of ids. Long documents are then read in pieces.
    var splitsAnywhere: Bool { get }
    /// Whether any bytes are a text. If not, texts are UTF-8, and each other byte is read as U+FFFD.
    var readsAnyBytes: Bool { get }

    /// The ids of a text, without end token.
    func encode(_ text: [UInt8]) throws -> [Int32]

    /// The text of ids. End tokens and ids out of range add nothing.
    func decode(_ tokens: [Int32]) -> [UInt8]

    /// Consecutive parts of a text, for several threads. Their ids by ``encode(_:part:)``, joined, are those of the
    /// text.
    func parts(of text: [UInt8]) -> [Range<Int>]

    /// The ids of one part of `text`, a range of ``parts(of:)``.
    func encode(_ text: [UInt8], part: Range<Int>) throws -> [Int32]

    /// The bytes that `token` adds to a text whose last token is `previous`. Generated text is put together from them.
    func bytes(of token: Int32, after previous: Int32) -> [UInt8]

    /// Number of bytes that `tokens` add to a text whose last token is `previous`. End tokens add none.
    func byteCount(of tokens: [Int32], after previous: Int32) -> Int
}

extension Tokenizer {
    public var leadingTokens: [Int32] { [] }
    public var splitsAnywhere: Bool { false }
    public var readsAnyBytes: Bool { false }

    public var kind: String { modelBytes.isEmpty ? name : "sentencepiece" }

    public func parts(of text: [UInt8]) -> [Range<Int>] { [0..<text.count] }

    public func encode(_ text: [UInt8], part: Range<Int>) throws -> [Int32] {
        try encode(part.count == text.count ? text : Array(text[part]))
    }

    public func bytes(of token: Int32, after previous: Int32) -> [UInt8] { decode([token]) }
}

/// The file that the configuration key `data.tokenizer` means: in a directory `tokenizer.model`, or else
/// `tokenizer.json`, as `import` chooses them. Any other setting is returned as it is.
public func tokenizerFile(_ setting: String) -> String {
    let isOther =
        setting == "bytes" || setting == noTokenizerName
        || [SentencePieceTokenizer.suffix, JSONTokenizer.suffix].contains(where: setting.hasSuffix)
    guard !isOther, FileKind.at(setting) == .directory else { return setting }
    let names = ["tokenizer" + SentencePieceTokenizer.suffix, "tokenizer" + JSONTokenizer.suffix]
    let paths = names.map { (setting.hasSuffix("/") ? setting : setting + "/") + $0 }
    return paths.first { path in
        guard case .regular = FileKind.at(path) else { return false }
        // Llama 3's tokenizer.model is a vocabulary of tiktoken. What cannot be read is the error of who opens it.
        guard path.hasSuffix(SentencePieceTokenizer.suffix), let file = try? ReadableFile(path: path),
            let start = try? file.bytes(at: 0, count: min(file.size, UnexpectedContent.byteCount))
        else { return true }
        return UnexpectedContent(start, insteadOf: .sentencePieceModel)?.isTiktoken != true
    } ?? setting
}

/// The tokenizer that the configuration key `data.tokenizer` names: `bytes`, or the path of a SentencePiece model, of a
/// `tokenizer.json`, or of a directory with one of them.
///
/// - Parameters:
///   - setting: the name or path.
///   - key: the setting that errors name.
///   - endToken: for a `tokenizer.json`, text or id of the token that ends documents; empty: the files beside it say so.
///   - endKey: the setting of `endToken`, for errors.
///   - needsEnd: whether a model without an end token is an error.
/// - Throws: ``DataError`` for another name, and for a file that is no model that can be used.
public func makeTokenizer(
    _ setting: String, key: String = "data.tokenizer", endToken: String = "", endKey: String = "data.end_token",
    needsEnd: Bool = true
) throws -> any Tokenizer {
    let setting = tokenizerFile(setting)
    do {
        if setting.hasSuffix(JSONTokenizer.suffix) {
            return try JSONTokenizer(path: setting, end: endToken, endKey: endKey, needsEnd: needsEnd)
        }
        guard endToken.isEmpty else {
            throw DataError(
                key: endKey, problem: "the end token of \(setting) is its own",
                remedy: "leave it out: it is for a tokenizer.json")
        }
        if setting == "bytes" { return ByteTokenizer() }
        guard setting.hasSuffix(SentencePieceTokenizer.suffix) else {
            throw DataError(
                problem: "\"\(setting)\" is no tokenizer",
                remedy: "allowed: bytes, or the path of a SentencePiece model, which ends in "
                    + "\(SentencePieceTokenizer.suffix), or of a tokenizer.json, which ends in \(JSONTokenizer.suffix), or "
                    + "of a directory with tokenizer.model or tokenizer.json")
        }
        return try SentencePieceTokenizer(path: setting, needsEnd: needsEnd)
    } catch let error as DataError {
        throw error.with(key: key)
    }
}

/// The value of `data.tokenizer`, and the name in a checkpoint, where there is no tokenizer and all data are prepared.
public let noTokenizerName = "none"

/// The tokenizer that `data.tokenizer` names; nil for ``noTokenizerName``.
///
/// - Parameters:
///   - setting: the value of `data.tokenizer`.
///   - key: the setting that errors name.
///   - endToken: the value of `data.end_token`.
///   - endKey: the setting of `endToken`, for errors.
/// - Throws: ``DataError``, as ``makeTokenizer(_:key:endToken:endKey:needsEnd:)`` does.
public func configuredTokenizer(
    _ setting: String, key: String = "data.tokenizer", endToken: String = "", endKey: String = "data.end_token"
) throws -> (any Tokenizer)? {
    guard setting == noTokenizerName else {
        return try makeTokenizer(setting, key: key, endToken: endToken, endKey: endKey)
    }
    guard endToken.isEmpty else {
        throw DataError(
            key: endKey, problem: "without a tokenizer nothing ends documents",
            remedy: "leave it out: it is for a tokenizer.json")
    }
    return nil
}
