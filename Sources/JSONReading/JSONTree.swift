// JSONTree - a small JSON document. Numbers keep their digits, and keys their order.

internal import Reporting

/// A JSON value. A number is its text. Why: a double must be written with the bits that were read.
package indirect enum JSONTree: Equatable, Sendable {
    package struct Member: Equatable, Sendable {
        package var key: String
        package var value: JSONTree

        package init(key: String, value: JSONTree) {
            self.key = key
            self.value = value
        }
    }

    case null
    case boolean(Bool)
    case number(String)
    case string(String)
    case array([JSONTree])
    case object([Member])

    package static func integer(_ value: Int) -> JSONTree { .number(String(value)) }

    /// A finite double: the shortest digits that read back as the same double. Swift writes a point or an exponent, so
    /// Python reads a float.
    package static func double(_ value: Double) -> JSONTree { .number("\(value)") }

    package static func members(_ pairs: KeyValuePairs<String, JSONTree>) -> JSONTree {
        .object(pairs.map { Member(key: $0.key, value: $0.value) })
    }

    /// The value of a number.
    package var double: Double? { if case .number(let digits) = self { Double(digits) } else { nil } }

    /// The value of a number that is whole and written so.
    package var integer: Int? { if case .number(let digits) = self { Int(digits) } else { nil } }

    /// The text of a string.
    package var string: String? { if case .string(let text) = self { text } else { nil } }

    /// The value of `key` in an object.
    package subscript(key: String) -> JSONTree? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }
}

extension JSONTree {
    /// The bytes of Python's `json.dumps(..., indent=2)`, with a line feed at the end, as `save_pretrained` writes.
    package var text: String { text(indentation: 0) + "\n" }

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
    package static func quote(_ text: String) -> String { JSONValue.quoted(text, escaping: .nonASCII) }
}

extension JSONTree {
    /// Reads the next value. For small parts: a tree takes some tens of bytes per byte of text.
    ///
    /// A key that comes twice is kept twice.
    package init(_ reader: inout JSONReader) throws(JSONReader.Failure) {
        switch try reader.peek() {
        case .null:
            try reader.null("a value")
            self = .null
        case .boolean: self = .boolean(try reader.boolean("a value"))
        case .number: self = .number(try reader.number("a value"))
        case .string: self = .string(try reader.string("a value"))
        case .array:
            var elements: [JSONTree] = []
            try reader.beginArray("an array")
            while try reader.nextElement() { elements.append(try JSONTree(&reader)) }
            self = .array(elements)
        case .object:
            var members: [Member] = []
            try reader.beginObject("an object")
            while let key = try reader.nextKey() {
                members.append(Member(key: String(decoding: key, as: UTF8.self), value: try JSONTree(&reader)))
            }
            self = .object(members)
        }
    }
}
