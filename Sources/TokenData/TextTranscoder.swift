// TextTranscoder - text in another encoding as UTF-8, block by block.

/// Converts text to UTF-8. Blocks may end within characters.
struct TextTranscoder {
    /// A byte that no UTF-8 text holds. It stands for a broken unit of UTF-16, so that the checks of UTF-8 count it.
    static let broken: UInt8 = 0xFF

    private enum ByteOrder { case little, big }

    private let encoding: TextEncoding
    /// Order of the bytes of UTF-16; nil before the first unit.
    private var order: ByteOrder?
    /// First byte of a unit whose second is not there yet.
    private var half: UInt8?
    /// First half of a surrogate pair.
    private var high: UInt16?

    init(_ encoding: TextEncoding) { self.encoding = encoding }

    /// The next block as UTF-8.
    mutating func convert(_ block: [UInt8]) -> [UInt8] {
        switch encoding {
        case .utf8: return block
        case .latin1: return Self.latin1(block)
        case .utf16: return utf16(block)
        }
    }

    /// What follows the last block: a broken unit where the text ends within a character.
    mutating func finish() -> [UInt8] {
        // Half a pair and half a unit are two mistakes.
        let count = (half != nil ? 1 : 0) + (high != nil ? 1 : 0)
        (half, high) = (nil, nil)
        return [UInt8](repeating: Self.broken, count: count)
    }

    private static func latin1(_ block: [UInt8]) -> [UInt8] {
        guard let first = block.firstIndex(where: { $0 >= 0x80 }) else { return block }
        var result = Array(block[..<first])
        result.reserveCapacity(block.count + block.count / 8)
        for byte in block[first...] {
            if byte < 0x80 {
                result.append(byte)
            } else {
                result.append(0xC0 | byte >> 6)
                result.append(0x80 | byte & 0x3F)
            }
        }
        return result
    }

    private mutating func utf16(_ block: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(block.count)
        for byte in block {
            guard let first = half else {
                half = byte
                continue
            }
            half = nil
            if order == nil {
                order = first == 0xFE && byte == 0xFF ? .big : .little
                // The mark is no part of the text.
                if (first == 0xFE && byte == 0xFF) || (first == 0xFF && byte == 0xFE) { continue }
            }
            add(order == .big ? UInt16(first) << 8 | UInt16(byte) : UInt16(byte) << 8 | UInt16(first), to: &result)
        }
        return result
    }

    /// Adds a unit of UTF-16.
    private mutating func add(_ unit: UInt16, to result: inout [UInt8]) {
        if let first = high {
            high = nil
            if unit & 0xFC00 == 0xDC00 {
                return Self.append(0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(unit) - 0xDC00), to: &result)
            }
            result.append(Self.broken)
        }
        switch unit & 0xFC00 {
        case 0xD800: high = unit
        case 0xDC00: result.append(Self.broken)
        default: Self.append(UInt32(unit), to: &result)
        }
    }

    /// Adds a character, which is no half of a surrogate pair.
    private static func append(_ character: UInt32, to result: inout [UInt8]) {
        func byte(_ mark: UInt32, _ shift: UInt32, _ mask: UInt32) -> UInt8 { UInt8(mark | character >> shift & mask) }
        switch character {
        case ..<0x80: result.append(UInt8(character))
        case ..<0x800: result += [byte(0xC0, 6, 0x1F), byte(0x80, 0, 0x3F)]
        case ..<0x10000: result += [byte(0xE0, 12, 0x0F), byte(0x80, 6, 0x3F), byte(0x80, 0, 0x3F)]
        default: result += [byte(0xF0, 18, 0x07), byte(0x80, 12, 0x3F), byte(0x80, 6, 0x3F), byte(0x80, 0, 0x3F)]
        }
    }
}
