// PrecompiledMap - SentencePiece's table of replaced characters, as tokenizer.json holds it.

/// The normalizer `Precompiled`: a double array (darts) of sequences, and the texts that replace them.
///
/// The table is untrusted. Each step checks its bounds, and what lies outside is no match.
struct PrecompiledMap {
    /// Units of the double array.
    private let units: [UInt32]
    /// Replacements, each with a zero byte behind it.
    private let texts: [UInt8]

    /// - Parameter table: byte count of the double array, its units, and the texts, all little-endian.
    /// - Throws: ``TokenizerFileError`` for a table that ends early, or texts that are no UTF-8.
    init(_ table: [UInt8]) throws(TokenizerFileError) {
        let what = "normalizer.precompiled_charsmap"
        guard table.count >= 4 else { throw TokenizerFileError("\(what) ends inside its length") }
        func unit(_ index: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(table[index + $1]) << (8 * UInt32($1)) }
        }
        let count = Int(unit(0) / 4)
        guard count > 0, table.count >= 4 + 4 * count else { throw TokenizerFileError("\(what) ends inside its units") }
        units = (0..<count).map { unit(4 + 4 * $0) }
        texts = Array(table[(4 + 4 * count)...])
        guard (try? UTF8Span(validating: texts.span)) != nil else {
            throw TokenizerFileError("the texts of \(what) are no UTF-8")
        }
    }

    private static func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & 0x200) >> 6) }

    /// The replacement of the shortest sequence that `text[range]` begins with; nil if none does.
    private func replacement(_ text: [UInt8], _ range: Range<Int>) -> ArraySlice<UInt8>? {
        var node = Self.offset(units[0])
        for index in range {
            let byte = text[index]
            guard byte != 0 else { return nil }
            node ^= Int(byte)
            guard node < units.count else { return nil }
            let unit = units[node]
            guard unit & 0x8000_00FF == UInt32(byte) else { return nil }
            node ^= Self.offset(unit)
            guard unit & 0x100 != 0 else { continue }
            guard node < units.count else { return nil }
            let start = Int(units[node] & 0x7FFF_FFFF)
            guard start <= texts.count, start == texts.count || texts[start] & 0xC0 != 0x80 else { return nil }
            return texts[start..<(texts[start...].firstIndex(of: 0) ?? texts.count)]
        }
        return nil
    }

    /// Longest grapheme that is looked up whole, in bytes.
    private static let longestGrapheme = 5

    /// `text` with its replacements. Short graphemes are looked up whole, then characters.
    ///
    /// A result that becomes longer than a text may be is left unfinished.
    func normalize(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + 16)
        let bytes = Array(text)
        var start = 0
        // Carriage return and line feed are one grapheme in both.
        for grapheme in String(decoding: bytes, as: UTF8.self) {
            guard result.count <= PieceList.longestText else { break }
            let end = start + grapheme.utf8.count
            defer { start = end }
            if end - start <= Self.longestGrapheme, let replacement = replacement(bytes, start..<end) {
                result += replacement
                continue
            }
            var index = start
            while index < end {
                let next = index + ScalarReader.scalar(in: bytes, at: index).length
                result += replacement(bytes, index..<next) ?? bytes[index..<next]
                index = next
            }
        }
        return result
    }
}

/// Base64 with padding (RFC 4648).
enum Base64 {
    /// The bytes of a text; nil if it is no base64.
    static func decode(_ text: String) -> [UInt8]? {
        let letters = Array(text.utf8)
        guard letters.count % 4 == 0 else { return nil }
        let padding = letters.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
        var result: [UInt8] = []
        result.reserveCapacity(letters.count / 4 * 3)
        var bits: UInt32 = 0
        for (index, letter) in letters.dropLast(padding).enumerated() {
            let value: UInt8
            switch letter {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = letter - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = letter - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = letter - UInt8(ascii: "0") + 52
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            if index % 4 == 1 { result.append(UInt8(truncatingIfNeeded: bits >> 4)) }
            if index % 4 == 2 { result.append(UInt8(truncatingIfNeeded: bits >> 2)) }
            if index % 4 == 3 { result.append(UInt8(truncatingIfNeeded: bits)) }
        }
        return result
    }
}
