// SentencePieceTokenizer - the ids of a SentencePiece model, such as LLaMA's.

internal import SentencePieceText
internal import InputFiles

/// A SentencePiece model has no token that ends documents.
struct MissingEndToken: Error {}

/// A tokenizer with a SentencePiece `.model` file. `</s>` ends a document, and no begin token is added.
///
/// Each byte that is no UTF-8 is read as U+FFFD, as the library does.
public struct SentencePieceTokenizer: Tokenizer {
    /// Ending of a model's file, by which a setting is a path and not `bytes`.
    public static let suffix = ".model"
    /// Largest file that is read, in bytes. Real models have some hundred kilobytes.
    public static let largestFile = 256 << 20

    public let name: String
    public let size: Int
    /// Id of `</s>`; -1 for a model without one, which is allowed where no document is ended (`needsEnd: false`).
    public let endToken: Int32
    public let modelBytes: [UInt8]

    private let processor: SentencePieceProcessor
    /// Bytes of each token within a text, by id.
    private let texts: [[UInt8]]
    private let isControl: [Bool]
    private let addsBlank: Bool

    private static let blank: [UInt8] = [0xE2, 0x96, 0x81]

    /// - Parameters:
    ///   - modelBytes: the content of the file.
    ///   - name: the file's name, as checkpoints keep it.
    /// - origin: the path that errors name: of the file, or of the checkpoint that holds the model.
    ///   - needsEnd: whether a model without an end token is an error.
    /// - Throws: ``DataError`` for bytes that are no model, and for a missing end token if `needsEnd`.
    public init(modelBytes: [UInt8], name: String, origin: String, needsEnd: Bool = true) throws {
        do {
            try self.init(reading: modelBytes, name: name, origin: origin, needsEnd: needsEnd)
        } catch is MissingEndToken {
            throw DataError(
                file: origin, problem: "the SentencePiece model has no end token (eos, \"</s>\"), which ends documents",
                remedy: "a new one gets it from mile-dist tokenizer train, and from spm_train without --eos_id=-1; a "
                    + "model that was trained with this one continues on data that another program prepared, with "
                    + "data.tokenizer: \(noTokenizerName)")
        }
    }

    /// - Throws: ``DataError`` for bytes that are no model, ``MissingEndToken``.
    init(reading modelBytes: [UInt8], name: String, origin: String, needsEnd: Bool = true) throws {
        let unknown: [UInt8]
        do {
            processor = try SentencePieceProcessor(modelBytes: modelBytes)
            unknown = if let id = processor.unknownId { try processor.decode([id]) } else { [] }
        } catch {
            throw DataError(
                file: origin, problem: error.message,
                remedy: error.remedy ?? "give a SentencePiece model (\(Self.suffix)), copied completely")
        }
        let end = processor.endId
        if end == nil, needsEnd { throw MissingEndToken() }
        self.name = name
        self.modelBytes = modelBytes
        size = processor.pieceCount
        endToken = end ?? -1
        let pieces = processor.model.pieces
        addsBlank = processor.model.addsBlank && !processor.model.addsBlankBehind
        isControl = pieces.map { $0.kind == .control }
        texts = pieces.map { piece in
            switch piece.kind {
            case .control: []
            case .unknown: unknown
            case .byte: Self.byte(piece.text).map { [$0] } ?? []
            case .normal, .userDefined, .unused: Self.withBlanks(piece.text)
            }
        }
    }

    /// Reads the model at `path`.
    init(path: String, needsEnd: Bool = true) throws {
        let count = try requireFile(path)
        guard count <= Self.largestFile else {
            throw DataError(
                file: path, problem: "the file has \(count) bytes, far more than a SentencePiece model",
                remedy: "give a SentencePiece model (\(Self.suffix))")
        }
        let file = try ReadableFile(path: path)
        var bytes: [UInt8] = []
        while let chunk = try file.next() { bytes += chunk }
        let name = path.split(separator: "/").last.map(String.init) ?? path
        try self.init(modelBytes: bytes, name: name, origin: path, needsEnd: needsEnd)
    }

    public func encode(_ text: [UInt8]) throws -> [Int32] {
        try parts(of: text).flatMap { try encode(text, part: $0) }
    }

    public func parts(of text: [UInt8]) -> [Range<Int>] { processor.parts(of: text) }

    public func encode(_ text: [UInt8], part: Range<Int>) throws -> [Int32] {
        do {
            return try processor.encode(text, part: part)
        } catch {
            throw DataError(
                problem: error.message,
                remedy: processor.canCutTexts
                    ? "cut the text into lines of less than 2 GiB"
                    : "cut the text into documents: this model's texts are encoded whole, which takes 100 to 140 bytes of "
                        + "memory for each of theirs, and 2 GiB is the most")
        }
    }

    /// The pieces of a text, one for each id of ``encode(_:)``. For an unknown piece it is the piece's text.
    public func pieces(_ text: [UInt8]) throws -> [[UInt8]] {
        do {
            return try processor.pieces(text)
        } catch {
            throw DataError(problem: error.message, remedy: "cut the text into shorter lines")
        }
    }

    /// The bytes of `tokens`, as the library puts them together: no blank in front, U+FFFD for bytes that form no
    /// character.
    public func decode(_ tokens: [Int32]) -> [UInt8] {
        let own = tokens.filter { $0 >= 0 && Int($0) < size }
        // The model's ids always have a text. Only a lack of memory can fail, and no caller could go on without it.
        guard let text = try? processor.decode(own) else { preconditionFailure("\(own.count) ids without a text") }
        return text
    }

    public func bytes(of token: Int32, after previous: Int32) -> [UInt8] {
        guard isOwn(token) else { return [] }
        let text = texts[Int(token)]
        return startsWithAddedBlank(text, after: previous) ? Array(text.dropFirst()) : text
    }

    /// The number of bytes of `tokens`. It is exact also where the run begins or ends inside a character.
    public func byteCount(of tokens: [Int32], after previous: Int32) -> Int {
        var (count, previous) = (0, previous)
        for token in tokens {
            if isOwn(token) {
                let text = texts[Int(token)]
                count += text.count - (startsWithAddedBlank(text, after: previous) ? 1 : 0)
            }
            previous = token
        }
        return count
    }

    private func isOwn(_ token: Int32) -> Bool { token >= 0 && Int(token) < size }

    /// Whether `text` begins with the blank in front of a document, which is no byte of the document.
    private func startsWithAddedBlank(_ text: [UInt8], after previous: Int32) -> Bool {
        addsBlank && text.first == UInt8(ascii: " ") && isOwn(previous) && isControl[Int(previous)]
    }

    /// The byte of a piece such as `<0x0A>`.
    private static func byte(_ text: [UInt8]) -> UInt8? {
        UInt8(String(decoding: text.dropFirst(3).dropLast(), as: UTF8.self), radix: 16)
    }

    /// The text of a piece, with a blank for each U+2581.
    private static func withBlanks(_ piece: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        var rest = piece[...]
        while let byte = rest.first {
            let isBlank = rest.starts(with: blank)
            text.append(isBlank ? UInt8(ascii: " ") : byte)
            rest = rest.dropFirst(isBlank ? blank.count : 1)
        }
        return text
    }
}
