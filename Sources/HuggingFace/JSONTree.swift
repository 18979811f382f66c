// JSONTree - a small JSON document. Numbers keep their digits, and keys their order.

internal import Reporting

/// A JSON value. A number is its text. Why: a double must be written with the bits that were read.
indirect enum JSONTree: Equatable, Sendable {
    struct Member: Equatable, Sendable {
        var key: String
        var value: JSONTree
    }

    case null
    case boolean(Bool)
    case number(String)
    case string(String)
    case array([JSONTree])
    case object([Member])

    static func integer(_ value: Int) -> JSONTree { .number(String(value)) }

    /// A finite double: the shortest digits that read back as the same double. Swift writes a point or an exponent, so
    /// Python reads a float.
    static func double(_ value: Double) -> JSONTree { .number("\(value)") }

    static func members(_ pairs: KeyValuePairs<String, JSONTree>) -> JSONTree {
        .object(pairs.map { Member(key: $0.key, value: $0.value) })
    }

    /// The value of a number.
    var double: Double? { if case .number(let digits) = self { Double(digits) } else { nil } }

    /// The value of a number that is whole and written so.
    var integer: Int? { if case .number(let digits) = self { Int(digits) } else { nil } }

    /// The text of a string.
    var string: String? { if case .string(let text) = self { text } else { nil } }

    /// The value of `key` in an object.
    subscript(key: String) -> JSONTree? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }
}

extension JSONTree {
    /// Reads a document. For small files: a tree takes some tens of bytes per byte of text.
    init(_ bytes: [UInt8], file: String) throws(HuggingFaceError) {
        var scanner = JSONScanner(bytes, file: file)
        self = try Self.read(&scanner)
        try scanner.finish()
    }

    /// Reads the next value of a scanner.
    init(_ scanner: inout JSONScanner) throws(HuggingFaceError) { self = try Self.read(&scanner) }

    private static func read(_ scanner: inout JSONScanner) throws(HuggingFaceError) -> JSONTree {
        switch try scanner.peek() {
        case .null:
            try scanner.null("a value")
            return .null
        case .boolean: return .boolean(try scanner.boolean("a value"))
        case .number: return .number(try scanner.number("a value"))
        case .string: return .string(try scanner.string("a value"))
        case .array:
            var elements: [JSONTree] = []
            try scanner.array("a value") { scanner throws(HuggingFaceError) in elements.append(try read(&scanner)) }
            return .array(elements)
        case .object:
            var members: [Member] = []
            try scanner.object("an object") { scanner, key throws(HuggingFaceError) in
                members.append(Member(key: key, value: try read(&scanner)))
            }
            return .object(members)
        }
    }
}

extension JSONTree {
    /// The bytes of Python's `json.dumps(..., indent=2)`, with a line feed at the end, as `save_pretrained` writes.
    var text: String { text(indentation: 0) + "\n" }

    private func text(indentation: Int) -> String {
        let inner = String(repeating: " ", count: 2 * (indentation + 1))
        let outer = String(repeating: " ", count: 2 * indentation)
        func block(_ open: String, _ parts: [String], _ close: String) -> String {
            parts.isEmpty
                ? open + close
                : open + "\n" + parts.map { inner + $0 }.joined(separator: ",\n") + "\n" + outer + close
        }
        switch self {
        case .null: return "null"
        case .boolean(let value): return value ? "true" : "false"
        case .number(let digits): return digits
        case .string(let value): return Self.quote(value)
        case .array(let elements): return block("[", elements.map { $0.text(indentation: indentation + 1) }, "]")
        case .object(let members):
            return block(
                "{", members.map { Self.quote($0.key) + ": " + $0.value.text(indentation: indentation + 1) }, "}")
        }
    }

    /// A JSON string of ASCII characters only, the default of Python.
    static func quote(_ text: String) -> String { JSONValue.quoted(text, escaping: .nonASCII) }
}
