// TextReading - how the documents of text files are read: key of the text, separator of documents, encoding.

/// The encoding of text files.
public enum TextEncoding: String, CaseIterable, Codable, Sendable {
    case utf8 = "utf-8"
    /// ISO-8859-1: each byte is the character of its number.
    case latin1 = "latin-1"
    /// A byte-order mark tells the order of bytes. Without one, the low byte comes first.
    case utf16 = "utf-16"
}

/// The settings by which text files become documents.
public struct TextReading: Codable, Equatable, Sendable {
    /// Key of the text in a JSON object, or the column of a table. A literal key comes before a path such as `a.b`.
    public var textKey = "text"
    /// Text between the documents of a .txt file; nil: the file is one document.
    public var separator: String?
    /// Encoding of .txt files and of JSON lines.
    public var encoding = TextEncoding.utf8

    public init(textKey: String = "text", separator: String? = nil, encoding: TextEncoding = .utf8) {
        self.textKey = textKey
        self.separator = separator
        self.encoding = encoding
    }

    /// ``separator``, with empty text for none.
    public var separatorText: String {
        get { separator ?? "" }
        set { separator = newValue.isEmpty ? nil : newValue }
    }

    /// The remedy for a line of JSON that is no document.
    var lineRemedy: String { "each line must be a JSON object with a string \"\(textKey)\"" }
}
