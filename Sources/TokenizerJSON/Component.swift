// Component - a part of tokenizer.json that has a type, with checks of its fields.

internal import JSONReading
internal import RegularExpressions

/// An object of `tokenizer.json`, such as a normalizer.
struct Component {
    /// Its place in the file, for messages: `pre_tokenizer`.
    let path: String
    /// The value of `type`.
    let type: String
    private let members: [JSONTree.Member]

    /// - Parameter path: the place in the file.
    /// - Throws: ``TokenizerFileError`` for another value than an object with a type, and for a key twice.
    init(_ tree: JSONTree, path: String) throws(TokenizerFileError) {
        guard case .object(let members) = tree else { throw TokenizerFileError("\(path) is no object") }
        var keys: Set<[UInt8]> = []
        for member in members where !keys.insert(Array(member.key.utf8)).inserted {
            throw TokenizerFileError("\(path) has the key \(member.key) twice")
        }
        guard let type = tree["type"]?.string else { throw TokenizerFileError("\(path) has no type") }
        self.path = path
        self.type = type
        self.members = members
    }

    /// Checks that no other fields than `type` and `fields` are there.
    func allow(_ fields: String...) throws(TokenizerFileError) {
        for member in members where member.key != "type" && !fields.contains(member.key) {
            throw .unsupported("\(path).\(member.key) of \(type)")
        }
    }

    /// The value of a field; nil where it is absent or null.
    func value(_ field: String) -> JSONTree? {
        let value = members.first { $0.key == field }?.value
        return value == .null ? nil : value
    }

    private func mistake(_ field: String, _ words: String) -> TokenizerFileError {
        TokenizerFileError("\(path).\(field) of \(type) \(words)")
    }

    func string(_ field: String) throws(TokenizerFileError) -> String {
        guard let text = value(field)?.string else { throw mistake(field, "must be a string") }
        return text
    }

    func boolean(_ field: String, default absent: Bool? = nil) throws(TokenizerFileError) -> Bool {
        guard let found = value(field) else {
            guard let absent else { throw mistake(field, "must be true or false") }
            return absent
        }
        guard case .boolean(let value) = found else { throw mistake(field, "must be true or false") }
        return value
    }

    func size(_ field: String) throws(TokenizerFileError) -> Int {
        guard let value = value(field)?.integer, (0..<1 << 20).contains(value) else {
            throw mistake(field, "must be a whole number from 0 on")
        }
        return value
    }

    /// UTF-8 of a field with exactly one character.
    func character(_ field: String) throws(TokenizerFileError) -> [UInt8] {
        let text = try string(field)
        guard text.unicodeScalars.count == 1 else { throw mistake(field, "must be one character") }
        return Array(text.utf8)
    }

    /// Most parts of a sequence.
    private static let mostParts = 64

    /// The parts of a sequence.
    func parts(_ field: String) throws(TokenizerFileError) -> [Component] {
        guard case .array(let trees) = value(field), trees.count <= Self.mostParts else {
            throw mistake(field, "must be an array of at most \(Self.mostParts)")
        }
        var parts: [Component] = []
        for (index, tree) in trees.enumerated() {
            parts.append(try Component(tree, path: "\(path).\(field)[\(index)]"))
        }
        return parts
    }

    /// The field `pattern`.
    func pattern() throws(TokenizerFileError) -> TextPattern {
        guard case .object(let kinds) = value("pattern"), kinds.count == 1, let text = kinds[0].value.string else {
            throw mistake("pattern", "must be an object with String or Regex")
        }
        switch kinds[0].key {
        case "String":
            guard !text.isEmpty else { throw TokenizerFileError.unsupported("the empty \(path).pattern") }
            return .text(Array(text.utf8))
        case "Regex":
            do { return .expression(try RegularExpression(oniguruma: text)) } catch {
                throw TokenizerFileError(
                    "\(path).pattern is a regular expression that cannot be used: \(error.problem)",
                    remedy: "encode the texts with the library that knows it, and train with data.tokenizer: none")
            }
        default: throw .unsupported("\(path).pattern.\(kinds[0].key)")
        }
    }

    func behavior(_ field: String, default absent: SplitBehavior? = nil) throws(TokenizerFileError) -> SplitBehavior {
        if value(field) == nil, let absent { return absent }
        guard let behavior = SplitBehavior(rawValue: try string(field)) else { throw mistake(field, "is not known") }
        return behavior
    }
}
