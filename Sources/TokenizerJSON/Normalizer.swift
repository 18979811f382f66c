// Normalizer - the changes that a tokenizer makes to a text before it cuts it.

internal import UnicodeText

/// A normalizer of `tokenizer.json`.
indirect enum Normalizer: Sendable {
    case unicode(TextNormalizer)
    case lowercase
    case prepend([UInt8])
    case replace(TextPattern, content: [UInt8])
    case strip(left: Bool, right: Bool)
    case precompiled(PrecompiledMap)
    case byteLevel
    case sequence([Normalizer])

    /// The version of Unicode by which the library normalizes.
    static let unicodeAge: StaticString = "9.0"

    /// A text, and whether it begins where its document does.
    struct Text {
        var bytes: [UInt8]
        var isStart: Bool
    }

    /// Normalizes a text of at least one byte.
    ///
    /// - Throws: ``TokenizerFileError`` for a text that becomes too long, or takes a pattern too long.
    func normalize(_ text: inout Text) throws(TokenizerFileError) {
        switch self {
        case .unicode(let normalizer):
            guard let bytes = normalizer.normalize(text.bytes[...]) else { throw .tooLong }
            text.bytes = bytes
        case .lowercase: text.bytes = Self.lowercased(text.bytes)
        case .prepend(let prefix): if !text.bytes.isEmpty { text.bytes = prefix + text.bytes }
        case .replace(let pattern, let content):
            let replaced = try pattern.replacing(text.bytes, with: content)
            // The library gives the content the position of the last character that it replaces.
            if replaced.leadingMatch > 0 {
                let first = ScalarReader.scalar(in: text.bytes, at: 0).length
                if content.isEmpty || replaced.leadingMatch > first { text.isStart = false }
            }
            text.bytes = replaced.text
        case .strip(let left, let right): Self.strip(&text, left: left, right: right)
        case .precompiled(let map): text.bytes = map.normalize(text.bytes[...])
        case .byteLevel: text.bytes = ByteAlphabet.spelled(text.bytes[...])
        case .sequence(let normalizers): for normalizer in normalizers { try normalizer.normalize(&text) }
        }
        guard text.bytes.count <= PieceList.longestText else { throw .tooLong }
    }

    /// Lower case of each character, whatever is around it.
    private static func lowercased(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + 16)
        var index = 0
        while index < text.count {
            let (value, length) = ScalarReader.scalar(in: text, at: index)
            if value < 0x80 {
                result.append((0x41...0x5A).contains(text[index]) ? text[index] | 0x20 : text[index])
            } else if let scalar = Unicode.Scalar(value) {
                result += scalar.properties.lowercaseMapping.utf8
            }
            index += length
        }
        return result
    }

    private static func strip(_ text: inout Text, left: Bool, right: Bool) {
        let count = text.bytes.count
        let start = left ? ScalarReader.blankEnd(text.bytes, from: 0, to: count) : 0
        let end = right ? ScalarReader.blankStart(text.bytes, before: count, from: start) : count
        if start > 0 { text.isStart = false }
        text.bytes = Array(text.bytes[start..<end])
    }
}
