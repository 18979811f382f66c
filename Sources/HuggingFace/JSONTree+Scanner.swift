// JSONTree+Scanner - a small JSON document of a model directory, as a tree.

internal import JSONReading

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
