// UTF8Sequence - the characters of a text that may be no UTF-8.

/// Number of bytes of the well-formed UTF-8 sequence at `start` (Unicode, table 3-7), 1 to 4; 0 where there is none.
///
/// - Precondition: `start` is an index of `text`.
@inlinable public func wellFormedUTF8Length(_ text: [UInt8], at start: Int) -> Int {
    let second: ClosedRange<UInt8>
    let length: Int
    switch text[start] {
    case 0..<0x80: return 1
    case 0xC2...0xDF: (second, length) = (0x80...0xBF, 2)
    // A smaller second byte would be an overlong encoding.
    case 0xE0: (second, length) = (0xA0...0xBF, 3)
    // A larger second byte would be a surrogate.
    case 0xED: (second, length) = (0x80...0x9F, 3)
    case 0xE1...0xEF: (second, length) = (0x80...0xBF, 3)
    case 0xF0: (second, length) = (0x90...0xBF, 4)
    case 0xF1...0xF3: (second, length) = (0x80...0xBF, 4)
    // Unicode ends at U+10FFFF.
    case 0xF4: (second, length) = (0x80...0x8F, 4)
    default: return 0
    }
    guard start + length <= text.count, second.contains(text[start + 1]) else { return 0 }
    for index in (start + 2)..<(start + length) where text[index] & 0xC0 != 0x80 { return 0 }
    return length
}
