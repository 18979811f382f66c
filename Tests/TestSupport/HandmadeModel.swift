// HandmadeModel - a small SentencePiece model, written field by field.

/// The bytes of a `ModelProto`, for tests of readers.
public struct HandmadeModel {
    /// The numbers of kinds are the format's: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
    public var pieces: [(text: String, score: Float, kind: UInt8)]
    /// 1: unigram, 2: BPE.
    public var modelType: UInt8 = 2
    /// Identity, a blank in front, blanks kept, blanks as U+2581: as LLaMA's.
    public var normalizer: [UInt8] = [0x12, 0, 0x18, 1, 0x20, 0, 0x28, 1]
    /// Whether the blank is put behind the text.
    public var blanksBehind = false

    /// <unk> <s> </s>, all bytes, and a few letters with merges.
    public init() {
        pieces = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3)]
        let digits = Array("0123456789ABCDEF")
        for byte in 0..<256 { pieces.append(("<0x\(digits[byte / 16])\(digits[byte % 16])>", 0, 6)) }
        let merged = [("aa", -0.0), ("\u{2581}a", -1), ("aaa", -2), ("\u{2581}aé", -3), ("aé", -4)]
        pieces += merged.map { ($0.0, Float($0.1), 1) }
        pieces += ["\u{2581}", "a", "é"].enumerated().map { ($0.element, Float(-5 - $0.offset), 1) }
    }

    public var bytes: [UInt8] {
        let list = pieces.flatMap { piece in
            let text = Array(piece.text.utf8)
            let score = (0..<4).map { UInt8(truncatingIfNeeded: piece.score.bitPattern >> (8 * UInt32($0))) }
            let inner = [0x0A, UInt8(text.count)] + text + [0x15] + score + [0x18, piece.kind]
            return [0x0A, UInt8(inner.count)] + inner
        }
        // -1, with its ten bytes.
        let none = [UInt8](repeating: 0xFF, count: 9) + [1]
        // Model type, bytes for unknown characters, ids of <unk>, <s> and </s>, and no <pad>.
        let ids: [UInt8] = [0x98, 2, 1, 0xC0, 2, 0, 0xC8, 2, 1, 0xD0, 2, 2, 0xD8, 2] + none
        let trainer = [0x18, modelType] + (blanksBehind ? [0xC0, 1, 1] : []) + ids
        return list + [0x12, UInt8(trainer.count)] + trainer + [0x1A, UInt8(normalizer.count)] + normalizer
    }
}
