// ScalarReader - code points of UTF-8, and properties of characters that pre-tokenizers ask for.

internal import Primitives

/// Reads code points of valid UTF-8.
enum ScalarReader {
    /// The code point that starts at `index`, and its number of bytes.
    @inline(__always)
    static func scalar(in text: [UInt8], at index: Int) -> (value: UInt32, length: Int) {
        let first = UInt32(text[index])
        if first < 0x80 { return (first, 1) }
        if first < 0xE0 { return ((first & 0x1F) << 6 | UInt32(text[index + 1] & 0x3F), 2) }
        let middle = UInt32(text[index + 1] & 0x3F) << 6 | UInt32(text[index + 2] & 0x3F)
        if first < 0xF0 { return ((first & 0xF) << 12 | middle, 3) }
        return ((first & 7) << 18 | middle << 6 | UInt32(text[index + 3] & 0x3F), 4)
    }

    /// The start of the code point that ends before `index`.
    static func start(before index: Int, in text: [UInt8]) -> Int {
        var start = index - 1
        while text[start] & 0xC0 == 0x80 { start -= 1 }
        return start
    }

    /// The start of the blanks that end before `end`, at `limit` or behind it.
    static func blankStart(_ text: [UInt8], before end: Int, from limit: Int) -> Int {
        var start = end
        while start > limit {
            let before = self.start(before: start, in: text)
            guard CharacterProperty.isSpace(scalar(in: text, at: before).value) else { break }
            start = before
        }
        return start
    }

    /// The end of the blanks that begin at `start`, at `limit` or before it.
    static func blankEnd(_ text: [UInt8], from start: Int, to limit: Int) -> Int {
        var end = start
        while end < limit {
            let (value, length) = scalar(in: text, at: end)
            guard CharacterProperty.isSpace(value) else { break }
            end += length
        }
        return end
    }

    /// `text` with U+FFFD for each byte that belongs to no well-formed sequence; nil for valid UTF-8.
    static func repaired(_ text: [UInt8]) -> [UInt8]? {
        // The span checks without a copy.
        if (try? UTF8Span(validating: text.span)) != nil { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(text.count + 16)
        var index = 0
        while index < text.count {
            let length = wellFormedUTF8Length(text, at: index)
            if length > 0 {
                result += text[index..<index + length]
                index += length
            } else {
                result += [0xEF, 0xBF, 0xBD]
                index += 1
            }
        }
        return result
    }
}

/// Properties of characters, of the versions of Unicode that the parts of the library have.
enum CharacterProperty {
    private static func properties(_ code: UInt32) -> Unicode.Scalar.Properties? { Unicode.Scalar(code)?.properties }

    /// White_Space.
    @inline(__always)
    static func isSpace(_ code: UInt32) -> Bool {
        if code < 0x80 { return code == 0x20 || (0x9...0xD).contains(code) }
        return properties(code)?.isWhitespace ?? false
    }

    /// Any kind of number.
    @inline(__always)
    static func isNumeric(_ code: UInt32) -> Bool {
        if code < 0x80 { return (0x30...0x39).contains(code) }
        switch properties(code)?.generalCategory {
        case .decimalNumber, .letterNumber, .otherNumber: return true
        default: return false
        }
    }

    /// ASCII punctuation and symbols, and punctuation of Unicode 8.
    static func isPunctuation(_ code: UInt32) -> Bool {
        if code < 0x80 {
            return (0x21...0x2F).contains(code) || (0x3A...0x40).contains(code) || (0x5B...0x60).contains(code)
                || (0x7B...0x7E).contains(code)
        }
        guard let properties = properties(code), isAdded(properties, upTo: 8) else { return false }
        // Later versions count these two among symbols and marks.
        if code == 0x166D || code == 0x111C9 { return true }
        switch properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
            .finalPunctuation, .otherPunctuation:
            return true
        default: return false
        }
    }

    /// A character of a word: letters, marks, decimal digits, connectors, joiners.
    static func isWord(_ code: UInt32) -> Bool {
        if code < 0x80 {
            return (0x30...0x39).contains(code) || (0x41...0x5A).contains(code) || (0x61...0x7A).contains(code)
                || code == 0x5F
        }
        guard let properties = properties(code), isAdded(properties, upTo: 16) else { return false }
        if properties.isAlphabetic || properties.isJoinControl { return true }
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
        default: return false
        }
    }

    private static func isAdded(_ properties: Unicode.Scalar.Properties, upTo version: Int) -> Bool {
        properties.age.map { $0.major <= version } ?? false
    }
}
