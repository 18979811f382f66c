// SentencePieceModel - what config files need from a tokenizer.model: how many pieces, and which are special.

/// The few fields of a SentencePiece model (a protocol buffer, `ModelProto`) that Hugging Face's files repeat.
///
/// Encoding and decoding are the tokenizer's business; this only looks. The bytes are untrusted: every length is checked
/// against what is left.
struct SentencePieceModel: Equatable {
    /// Texts of the pieces, by id.
    let pieces: [String]
    let special: SpecialTokens

    /// The text of a special piece.
    func piece(_ id: Int?) -> String? { id.flatMap { pieces.indices.contains($0) ? pieces[$0] : nil } }

    /// - Throws: `badTokenizer` for bytes that are no such model.
    init(_ bytes: [UInt8], file: String) throws(HuggingFaceError) {
        var pieces: [String] = []
        // The trainer's defaults: <unk> 0, <s> 1, </s> 2, no padding.
        var ids: [UInt64: Int] = [Field.unknown: 0, Field.begin: 1, Field.end: 2, Field.padding: -1]
        var message = ProtocolBuffer(bytes[...], file: file)
        while let (number, value) = try message.next() {
            guard case .bytes(let content) = value else { continue }
            if number == Field.piece {
                var text = ""
                var piece = ProtocolBuffer(content, file: file)
                while let (number, value) = try piece.next() {
                    if number == Field.text, case .bytes(let letters) = value {
                        text = String(decoding: letters, as: UTF8.self)
                    }
                }
                pieces.append(text)
            } else if number == Field.trainer {
                var trainer = ProtocolBuffer(content, file: file)
                while let (number, value) = try trainer.next() {
                    // An int32; negative ones are written with 64 bits.
                    if ids[number] != nil, case .integer(let id) = value {
                        ids[number] = Int(Int32(truncatingIfNeeded: id))
                    }
                }
            }
        }
        guard !pieces.isEmpty else {
            throw HuggingFaceError(.badTokenizer, file: file, "it is no SentencePiece model: it has no pieces")
        }
        self.pieces = pieces
        special = SpecialTokens(
            begin: ids[Field.begin], end: ids[Field.end], padding: ids[Field.padding], unknown: ids[Field.unknown]
        ).within(pieces.count)
    }

    /// Field numbers of `sentencepiece_model.proto`.
    private enum Field {
        static let piece: UInt64 = 1
        static let trainer: UInt64 = 2
        /// In a piece.
        static let text: UInt64 = 1
        /// In the trainer's settings.
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
        /// A fixed-width number, which nothing here needs.
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
            _ = try take(4)
            return (tag >> 3, .other)
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
