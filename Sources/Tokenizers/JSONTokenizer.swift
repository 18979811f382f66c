// JSONTokenizer - the ids of a Hugging Face tokenizer.json.

internal import InputFiles
internal import TokenizerJSON

/// A tokenizer with a `tokenizer.json` file. No special tokens are added to a text; the end token follows a document.
///
/// Each byte that is no UTF-8 is read as U+FFFD.
public struct JSONTokenizer: Tokenizer {
    /// Ending of a file's name, by which a setting is such a path.
    public static let suffix = ".json"
    /// The kind that a resume compares.
    public static let kindName = "tokenizer.json"
    /// Largest file that is read, in bytes. Real ones have up to 35 MB.
    public static let largestFile = 256 << 20

    public let name: String
    /// Id of the token that ends documents; -1 for none, where no document is ended (`needsEnd: false`).
    public let endToken: Int32
    public let modelBytes: [UInt8]
    public var size: Int { pipeline.size }
    public var kind: String { Self.kindName }
    public var leadingTokens: [Int32] { pipeline.leadingTokens }

    private let pipeline: TokenizerPipeline

    /// - Parameters:
    ///   - modelBytes: the content of the file.
    ///   - name: the file's name, as checkpoints keep it.
    ///   - origin: the path that errors name: of the file, or of the checkpoint that holds it.
    ///   - endToken: id of the token that ends documents, if it is known.
    /// - Throws: ``DataError`` for bytes that are no such file, or one that is not supported.
    public init(modelBytes: [UInt8], name: String, origin: String, endToken: Int32?) throws {
        do throws(TokenizerFileError) { pipeline = try TokenizerPipeline(reading: modelBytes) } catch {
            throw DataError(file: origin, problem: error.problem, remedy: error.remedy)
        }
        if let endToken, !pipeline.has(endToken) {
            throw DataError(
                file: origin, problem: "the end token \(endToken) is no token of \(name)",
                remedy: "give the text or the id of one of its \(pipeline.size) tokens")
        }
        self.name = name
        self.modelBytes = modelBytes
        self.endToken = endToken ?? -1
    }

    /// Reads the file at `path`.
    ///
    /// - Parameters:
    ///   - end: the setting that names the end token; empty: the files beside `path` do.
    ///   - endKey: the name of that setting, for errors.
    ///   - needsEnd: whether a missing end token is an error.
    init(path: String, end: String, endKey: String, needsEnd: Bool) throws {
        let count = try requireFile(path)
        guard count <= Self.largestFile else {
            throw DataError(
                file: path, problem: "the file has \(count) bytes, far more than a tokenizer.json",
                remedy: "give a tokenizer.json")
        }
        let file = try ReadableFile(path: path)
        var bytes: [UInt8] = []
        while let chunk = try file.next() { bytes += chunk }
        let name = path.split(separator: "/").last.map(String.init) ?? path
        let whole = try JSONTokenizer(modelBytes: bytes, name: name, origin: path, endToken: nil)
        let found = try EndToken(setting: end, key: endKey, beside: path).id(in: whole.pipeline)
        if found == nil, needsEnd {
            throw DataError(
                file: path,
                problem:
                    "neither \(EndToken.settingsName) nor \(EndToken.generationName) beside it names the token that "
                    + "ends documents (eos)",
                remedy: "name it with \(endKey): its text, such as <|endoftext|>, or its id")
        }
        (self.name, modelBytes, pipeline, endToken) = (name, bytes, whole.pipeline, found ?? -1)
    }

    public func encode(_ text: [UInt8]) throws -> [Int32] {
        do throws(TokenizerFileError) { return try pipeline.encode(text) } catch {
            throw DataError(problem: error.problem, remedy: error.remedy)
        }
    }

    /// The texts of the tokens of a text, as the file spells them.
    public func pieces(_ text: [UInt8]) throws -> [[UInt8]] {
        try encode(text).map { pipeline.piece($0) ?? [] }
    }

    /// The text of a token, as the file spells it; nil for an id that is none.
    public func piece(_ id: Int32) -> [UInt8]? { pipeline.piece(id) }

    /// The text of ids as the library gives it with special tokens, end tokens left out.
    public func decode(_ tokens: [Int32]) -> [UInt8] {
        let tokens = tokens.filter { $0 != endToken }
        // Patterns of decoders can take too long for a hostile text. The bytes of the tokens are the next best text.
        return (try? pipeline.decode(tokens)) ?? tokens.flatMap { pipeline.bytes(of: $0, after: nil) }
    }

    public func bytes(of token: Int32, after previous: Int32) -> [UInt8] {
        token == endToken ? [] : pipeline.bytes(of: token, after: previous == endToken ? nil : previous)
    }

    /// The number of bytes of `tokens`. It is exact also where the run begins or ends inside a character.
    public func byteCount(of tokens: [Int32], after previous: Int32) -> Int {
        var (count, previous) = (0, previous)
        for token in tokens {
            count += bytes(of: token, after: previous).count
            previous = token
        }
        return count
    }
}
