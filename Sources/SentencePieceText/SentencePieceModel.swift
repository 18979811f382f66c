// SentencePieceModel - the fields of a .model file: pieces, special ids, normalisation.

/// The fields of a SentencePiece model (a protocol buffer, `ModelProto`) that the library does not show.
///
/// ``SentencePieceProcessor`` encodes and decodes. The bytes are untrusted: every length is checked against the bytes
/// that are left.
public struct SentencePieceModel: Sendable, Equatable {
    public struct Piece: Sendable, Equatable {
        /// UTF-8. Why bytes: Swift compares strings by canonical equivalence, and pieces may differ in code points
        /// only.
        public var text: [UInt8] = []
        public var score: Float = 0
        public var kind = Kind.normal

        public init(text: [UInt8] = [], score: Float = 0, kind: Kind = .normal) {
            (self.text, self.score, self.kind) = (text, score, kind)
        }
    }

    /// Kind of a piece; the raw values are the format's.
    public enum Kind: UInt64, Sendable {
        case normal = 1
        case unknown = 2
        case control = 3
        case userDefined = 4
        case unused = 5
        case byte = 6
    }

    /// The algorithm that cuts a text into pieces; the raw values are the format's.
    public enum Algorithm: UInt64, Sendable {
        /// The likeliest pieces.
        case unigram = 1
        /// Pairs merged by score.
        case bpe = 2
        case word = 3
        case character = 4
    }

    /// The pieces, by id.
    public private(set) var pieces: [Piece] = []
    /// The algorithm that cuts a text; nil for a number that the format does not define.
    public private(set) var algorithm: Algorithm? = .unigram
    /// Whether the model merges pairs (BPE). Otherwise it chooses the likeliest pieces (unigram).
    public var mergesPairs: Bool { algorithm == .bpe }
    /// Whether a blank is put before each text.
    public private(set) var addsBlank = true
    /// Whether characters are replaced before a text is cut, by the model's own table.
    public private(set) var replacesText = false
    /// Whether blanks at both ends of a text are removed, and runs of blanks cut to one.
    public private(set) var removesBlanks = true
    /// Whether blanks stand as U+2581 in pieces.
    public private(set) var escapesBlanks = true
    /// Whether the library changes a text before it cuts it: replaced characters, removed or unescaped blanks.
    public var changesText: Bool { replacesText || removesBlanks || !escapesBlanks }
    /// Whether the blank of ``addsBlank`` is put after the text instead.
    public private(set) var addsBlankBehind = false
    /// Whether the settings of training and normalisation are present. Every completely written model has them.
    public private(set) var isComplete = false
    private var ids: [UInt64: Int] = [Field.unknown: 0, Field.begin: 1, Field.end: 2, Field.padding: -1]

    /// Ids of special pieces; nil if the model has none.
    public var unknownId: Int? { id(Field.unknown) }
    public var beginId: Int? { id(Field.begin) }
    public var endId: Int? { id(Field.end) }
    public var paddingId: Int? { id(Field.padding) }

    private func id(_ field: UInt64) -> Int? { ids[field].flatMap { pieces.indices.contains($0) ? $0 : nil } }

    /// - Throws: ``SentencePieceError`` for bytes that are no model. It names the format that they have, if it is
    ///   known.
    public init(_ bytes: [UInt8]) throws(SentencePieceError) {
        do throws(SentencePieceError) {
            try self.init(reading: bytes)
        } catch {
            guard let content = UnexpectedContent(bytes, insteadOf: .sentencePieceModel) else { throw error }
            throw SentencePieceError(.notAModel, content.problem, remedy: content.remedy)
        }
    }

    private init(reading bytes: [UInt8]) throws(SentencePieceError) {
        var message = ProtocolBuffer(bytes[...])
        var found: Set<UInt64> = []
        while let (number, value) = try message.next() {
            guard case .bytes(let content) = value else { continue }
            let fields = ProtocolBuffer(content)
            found.insert(number)
            switch number {
            case Field.piece: pieces.append(try Self.piece(fields))
            case Field.trainer: try readTrainer(fields)
            case Field.normalizer: try readNormalizer(fields)
            default: continue
            }
        }
        guard !pieces.isEmpty else {
            throw SentencePieceError(.notAModel, "it is no SentencePiece model: it has no pieces")
        }
        isComplete = found.contains(Field.trainer) && found.contains(Field.normalizer)
    }

    private static func piece(_ message: ProtocolBuffer) throws(SentencePieceError) -> Piece {
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

    private mutating func readTrainer(_ message: ProtocolBuffer) throws(SentencePieceError) {
        var fields = message
        while let (number, value) = try fields.next() {
            guard case .integer(let integer) = value else { continue }
            if number == Field.modelType { algorithm = Algorithm(rawValue: integer) }
            if number == Field.blankBehind { addsBlankBehind = integer != 0 }
            // An int32. The format writes negative values with 64 bits.
            if ids[number] != nil { ids[number] = Int(Int32(truncatingIfNeeded: integer)) }
        }
    }

    private mutating func readNormalizer(_ message: ProtocolBuffer) throws(SentencePieceError) {
        var fields = message
        while let (number, value) = try fields.next() {
            switch (number, value) {
            case (2, .bytes(let map)): replacesText = !map.isEmpty
            case (3, .integer(let flag)): addsBlank = flag != 0
            case (4, .integer(let flag)): removesBlanks = flag != 0
            case (5, .integer(let flag)): escapesBlanks = flag != 0
            default: continue
            }
        }
    }

    /// Field numbers of `sentencepiece_model.proto`.
    private enum Field {
        static let piece: UInt64 = 1
        static let trainer: UInt64 = 2
        static let normalizer: UInt64 = 3
        /// Fields of the trainer's settings.
        static let modelType: UInt64 = 3
        static let blankBehind: UInt64 = 24
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
        /// Eight bytes, which no field of interest has.
        case other
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next field; nil at the end.
    mutating func next() throws(SentencePieceError) -> (number: UInt64, value: Value)? {
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

    private var damaged: SentencePieceError {
        SentencePieceError(.notAModel, "it is no SentencePiece model, or a damaged one")
    }

    private mutating func variable() throws(SentencePieceError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw damaged }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw damaged
    }

    private mutating func take(_ count: UInt64) throws(SentencePieceError) -> ArraySlice<UInt8> {
        guard count <= UInt64(rest.count) else { throw damaged }
        let taken = rest.prefix(Int(count))
        rest = rest.dropFirst(Int(count))
        return taken
    }
}
