// InvalidUTF8 - bytes of a text that are no UTF-8, each of which a SentencePiece model reads as U+FFFD.

internal import Primitives

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
            let length = wellFormedUTF8Length(text, at: index)
            if length > 0 {
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
}
