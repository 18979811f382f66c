// ByteAlphabet - the printable characters that stand for bytes in byte-level tokens.

/// The 256 characters of byte-level tokenizers: printable Latin-1 characters for themselves, the others from U+0100 on.
package enum ByteAlphabet {
    /// UTF-8 of the character of each byte: one or two bytes.
    package static let characters: [[UInt8]] = {
        var next: UInt32 = 0x100
        return (UInt32(0)..<256).map { byte in
            let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
            let code = isPrintable ? byte : next
            if !isPrintable { next += 1 }
            return Unicode.Scalar(code).flatMap { UTF8.encode($0).map(Array.init) } ?? []
        }
    }()

    /// The byte of each character below U+0180; -1 for the others.
    private static let bytes: [Int16] = {
        var table = [Int16](repeating: -1, count: 0x180)
        for (byte, character) in characters.enumerated() {
            table[Int(ScalarReader.scalar(in: character, at: 0).value)] = Int16(byte)
        }
        return table
    }()

    /// `text` with a character for each byte.
    static func spelled(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(2 * text.count)
        for byte in text { result += characters[Int(byte)] }
        return result
    }

    /// The bytes that `text` spells; nil where it has another character. `text` is UTF-8.
    static func bytes(of text: ArraySlice<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        let whole = Array(text)
        var index = 0
        while index < whole.count {
            let (value, length) = ScalarReader.scalar(in: whole, at: index)
            guard value < 0x180, bytes[Int(value)] >= 0 else { return nil }
            result.append(UInt8(bytes[Int(value)]))
            index += length
        }
        return result
    }
}
