// InvalidUTF8 - bytes of a text that are no UTF-8, each of which a SentencePiece model reads as U+FFFD.

/// Number of bytes of a text that are no UTF-8, and the location of the first.
public struct InvalidUTF8: Codable, Equatable, Sendable {
    /// Number of such bytes; each is read as one U+FFFD.
    public private(set) var count = 0
    /// Byte offset of the first in the text.
    public private(set) var offset = 0
    /// Line of the first, from 1; 0 if the location is not known.
    public private(set) var line = 0

    /// No invalid bytes.
    package init() {}

    /// Examines all of a text. A byte that starts no well-formed sequence (Unicode 15, table 3-7) is invalid alone. The
    /// search goes on after it, as SentencePiece does.
    public init(in text: [UInt8]) {
        var index = 0
        while index < text.count {
            if text[index] < 0x80 {
                index += 1
            } else if let length = Self.sequenceLength(text, index) {
                index += length
            } else {
                if count == 0 {
                    offset = index
                    line = text[..<index].count { $0 == UInt8(ascii: "\n") } + 1
                }
                count += 1
                index += 1
            }
        }
    }

    public var isEmpty: Bool { count == 0 }

    /// The number alone, for a text that is a part of its file.
    package var withoutLocation: InvalidUTF8 {
        var result = InvalidUTF8()
        result.count = count
        return result
    }

    /// Adds the bytes of another text of the file. The location stays that of the first.
    package mutating func add(_ other: InvalidUTF8) {
        guard !isEmpty else { return self = other }
        count += other.count
    }

    /// The problem without number and location, so that texts can be counted by it.
    static let problem = "the text is not valid UTF-8"

    /// The problem, with the number of bytes and the offset of the first.
    public var words: String {
        let number = "\(count == 1 ? "1 byte is" : "\(count) bytes are") not valid UTF-8"
        return line > 0 ? "\(number), the first at byte \(offset)" : number
    }

    /// ``words`` for text that had another encoding. Each broken unit of UTF-16 is one byte here.
    public func words(_ encoding: TextEncoding) -> String {
        guard encoding == .utf16 else { return words }
        return "\(count == 1 ? "1 unit is" : "\(count) units are") not valid UTF-16"
    }

    /// The remedy: a command that converts the text at `path` to UTF-8.
    public static func remedy(_ path: String, _ encoding: TextEncoding = .utf8) -> String {
        guard encoding == .utf8 else { return "see whether the text is \(encoding.rawValue), and mend it" }
        let conversion = "convert it from its encoding, for example: "
        guard let tool = DocumentSource(path: path)?.compression?.tool else {
            return conversion + "iconv -f ISO-8859-1 -t UTF-8 \(path) > NEW.txt"
        }
        return conversion + "\(tool) -dc \(path) | iconv -f ISO-8859-1 -t UTF-8 > NEW.txt"
    }

    /// Length of the well-formed sequence of two to four bytes at `start`; nil where there is none.
    private static func sequenceLength(_ text: [UInt8], _ start: Int) -> Int? {
        let second: ClosedRange<UInt8>
        let length: Int
        switch text[start] {
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
        default: return nil
        }
        guard start + length <= text.count, second.contains(text[start + 1]) else { return nil }
        for index in (start + 2)..<(start + max(length, 2)) where text[index] & 0xC0 != 0x80 { return nil }
        return length
    }
}
