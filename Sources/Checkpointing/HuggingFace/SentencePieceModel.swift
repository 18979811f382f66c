// SentencePieceModel - what Hugging Face's files need from a tokenizer.model: pieces, special ids, normalisation.

/// The fields of a SentencePiece model (a protocol buffer, `ModelProto`) that Hugging Face's files repeat.
///
/// Encoding and decoding are the tokenizer's business; this only looks. The bytes are untrusted: every length is checked
/// against what is left.
struct SentencePieceModel: Equatable {
    struct Piece: Equatable {
        /// UTF-8. Bytes, because Swift holds strings for equal that only look the same.
        var text: [UInt8] = []
        var score: Float = 0
        var kind = Kind.normal
    }

    /// What a piece is; the numbers are the format's.
    enum Kind: UInt64 {
        case normal = 1
        case unknown = 2
        case control = 3
        case userDefined = 4
        case unused = 5
        case byte = 6
    }

    /// By id.
    private(set) var pieces: [Piece] = []
    /// Whether the model merges pairs (BPE), rather than choosing the likeliest pieces.
    private(set) var mergesPairs = false
    /// Whether a blank is put before each text.
    private(set) var addsBlank = true
    /// Whether a text is changed before it is cut: characters replaced, or blanks removed or kept as they are.
    private(set) var changesText = true
    private var ids: [UInt64: Int] = [Field.unknown: 0, Field.begin: 1, Field.end: 2, Field.padding: -1]

    var special: SpecialTokens {
        SpecialTokens(
            begin: ids[Field.begin], end: ids[Field.end], padding: ids[Field.padding], unknown: ids[Field.unknown]
        ).within(pieces.count)
    }

    /// The text of a special piece.
    func text(_ id: Int?) -> String? { id.map { String(decoding: pieces[$0].text, as: UTF8.self) } }

    /// - Throws: `badTokenizer` for bytes that are no such model.
    init(_ bytes: [UInt8], file: String) throws(HuggingFaceError) {
        var message = ProtocolBuffer(bytes[...], file: file)
        while let (number, value) = try message.next() {
            guard case .bytes(let content) = value else { continue }
            let fields = ProtocolBuffer(content, file: file)
            switch number {
            case Field.piece: pieces.append(try Self.piece(fields))
            case Field.trainer: try readTrainer(fields)
            case Field.normalizer: try readNormalizer(fields)
            default: continue
            }
        }
        guard !pieces.isEmpty else {
            throw HuggingFaceError(.badTokenizer, file: file, "it is no SentencePiece model: it has no pieces")
        }
    }

    private static func piece(_ message: ProtocolBuffer) throws(HuggingFaceError) -> Piece {
        var fields = message
        var piece = Piece()
        while let (number, value) = try fields.next() {
            switch (number, value) {
            case (1, .bytes(let text)): piece.text = Array(text)
            case (2, .float(let score)): piece.score = score
            case (3, .integer(let kind)): piece.kind = Kind(rawValue: kind) ?? .unused
            default: continue
            }
        }
        return piece
    }

    private mutating func readTrainer(_ message: ProtocolBuffer) throws(HuggingFaceError) {
        var fields = message
        while let (number, value) = try fields.next() {
            guard case .integer(let integer) = value else { continue }
            if number == Field.modelType { mergesPairs = integer == 2 }
            // An int32; negative ones are written with 64 bits.
            if ids[number] != nil { ids[number] = Int(Int32(truncatingIfNeeded: integer)) }
        }
    }

    private mutating func readNormalizer(_ message: ProtocolBuffer) throws(HuggingFaceError) {
        var fields = message
        var (replaces, removesBlanks, escapesBlanks) = (false, true, true)
        while let (number, value) = try fields.next() {
            switch (number, value) {
            case (2, .bytes(let map)): replaces = !map.isEmpty
            case (3, .integer(let flag)): addsBlank = flag != 0
            case (4, .integer(let flag)): removesBlanks = flag != 0
            case (5, .integer(let flag)): escapesBlanks = flag != 0
            default: continue
            }
        }
        changesText = replaces || removesBlanks || !escapesBlanks
    }

    /// Field numbers of `sentencepiece_model.proto`.
    private enum Field {
        static let piece: UInt64 = 1
        static let trainer: UInt64 = 2
        static let normalizer: UInt64 = 3
        /// In the trainer's settings.
        static let modelType: UInt64 = 3
        static let unknown: UInt64 = 40
        static let begin: UInt64 = 41
        static let end: UInt64 = 42
        static let padding: UInt64 = 43
    }
}

/// Reads the fields of a protocol buffer in order.
private struct ProtocolBuffer {
    enum Value {
        case integer(UInt64)
        case bytes(ArraySlice<UInt8>)
        case float(Float)
        /// Eight bytes, which nothing here needs.
        case other
    }

    private var rest: ArraySlice<UInt8>
    private let file: String

    init(_ bytes: ArraySlice<UInt8>, file: String) {
        rest = bytes
        self.file = file
    }

    /// The next field; nil at the end.
    mutating func next() throws(HuggingFaceError) -> (number: UInt64, value: Value)? {
        if rest.isEmpty { return nil }
        let tag = try variable()
        switch tag & 7 {
        case 0: return (tag >> 3, .integer(try variable()))
        case 1:
            _ = try take(8)
            return (tag >> 3, .other)
        case 2: return (tag >> 3, .bytes(try take(try variable())))
        case 5:
            let bits = try take(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            return (tag >> 3, .float(Float(bitPattern: bits)))
        default: throw damaged
        }
    }

    private var damaged: HuggingFaceError {
        HuggingFaceError(.badTokenizer, file: file, "it is no SentencePiece model, or a damaged one")
    }

    private mutating func variable() throws(HuggingFaceError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw damaged }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw damaged
    }

    private mutating func take(_ count: UInt64) throws(HuggingFaceError) -> ArraySlice<UInt8> {
        guard count <= UInt64(rest.count) else { throw damaged }
        let taken = rest.prefix(Int(count))
        rest = rest.dropFirst(Int(count))
        return taken
    }
}
