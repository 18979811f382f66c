// YAMLNode - a parsed YAML text with the place of every value.

internal import Yams

/// A value of a configuration text and where it was written.
struct YAMLNode: Sendable {
    /// The value of a scalar.
    enum Scalar: Sendable, Equatable {
        case null
        case boolean(Bool)
        case integer(Int)
        case number(Double)
        case text(String)
    }

    /// A key of a mapping with its value.
    struct Pair: Sendable {
        var key: String
        var origin: Origin
        var value: YAMLNode
    }

    enum Content: Sendable {
        /// `source` is the text as written, for messages.
        case scalar(Scalar, source: String)
        case sequence([YAMLNode])
        case mapping([Pair])
    }

    var content: Content
    var origin: Origin

    /// The value in the words of an error message.
    var found: String {
        switch content {
        case .scalar(.null, let source): return source.isEmpty ? "nothing (null)" : "null"
        case .scalar(.boolean, let source): return "\(source) (boolean)"
        case .scalar(.integer, let source): return "\(source) (integer)"
        case .scalar(.number, let source): return "\(source) (number)"
        case .scalar(.text(let text), _): return "\(OutputValue.quoted(text)) (string)"
        case .sequence(let elements): return elements.isEmpty ? "an empty list" : "a list"
        case .mapping: return "a mapping"
        }
    }

    /// The value of `key` in a mapping.
    subscript(key: String) -> YAMLNode? {
        guard case .mapping(let pairs) = content else { return nil }
        return pairs.first { $0.key == key }?.value
    }

    /// The place of the value at a path such as `data.train[0].path`, or of the innermost part that was written.
    func origin(of path: String) -> Origin {
        var node = self
        for part in path.replacing("[", with: ".").replacing("]", with: "").split(separator: ".") {
            if case .sequence(let elements) = node.content, let index = Int(part), elements.indices.contains(index) {
                node = elements[index]
            } else if let next = node[String(part)] {
                node = next
            } else {
                break
            }
        }
        return node.origin
    }
}

extension YAMLNode {
    /// Nodes that a text may have. Aliases multiply nodes: without a limit a few lines could fill the memory.
    static let nodeLimit = 100_000

    /// Parses one YAML document; nil for a text without any.
    ///
    /// Keys must be text and may not repeat.
    ///
    /// - Throws: ``ConfigurationError`` with the line of the mistake.
    static func parse(_ text: String, origin start: Origin) throws(ConfigurationError) -> YAMLNode? {
        // libyaml takes a byte order mark for a character of the text.
        let text = text.first == "\u{FEFF}" ? String(text.dropFirst()) : text
        let root: Node?
        do {
            // The resolver's only use here would be its YAML 1.1 types, which `interpret` replaces.
            root = try Yams.compose(yaml: text, .basic)
        } catch {
            throw syntaxError(error, text: text, origin: start)
        }
        guard let root else { return nil }
        var count = 0
        return try convert(root, key: "", origin: start, count: &count)
    }

    private static func convert(
        _ node: Node, key: String, origin start: Origin, count: inout Int
    ) throws(ConfigurationError) -> YAMLNode {
        let origin = start.moved(to: node.mark)
        count += 1
        if count > nodeLimit {
            throw ConfigurationError(
                at: origin, key: key, found: "more than \(nodeLimit) values", allowed: "at most \(nodeLimit)")
        }
        switch node {
        case .scalar(let scalar):
            let value = scalar.style == .plain ? Scalar.interpret(scalar.string) : .text(scalar.string)
            return YAMLNode(content: .scalar(value, source: scalar.string), origin: origin)
        case .sequence(let sequence):
            var elements: [YAMLNode] = []
            for (index, element) in sequence.enumerated() {
                elements.append(try convert(element, key: key.appending(index: index), origin: start, count: &count))
            }
            return YAMLNode(content: .sequence(elements), origin: origin)
        case .mapping(let mapping):
            var pairs: [Pair] = []
            for (keyNode, value) in mapping {
                let keyOrigin = start.moved(to: keyNode.mark)
                guard case .scalar(let name) = keyNode else {
                    throw ConfigurationError(
                        at: keyOrigin, key: key, found: "a list or mapping as a key", allowed: "text as a key")
                }
                let path = key.appending(key: name.string)
                var value = try convert(value, key: path, origin: start, count: &count)
                // A block starts at its first key; people look for it at the key above.
                if case .scalar = value.content {} else { value.origin = keyOrigin }
                pairs.append(Pair(key: name.string, origin: keyOrigin, value: value))
            }
            return YAMLNode(content: .mapping(pairs), origin: origin)
        case .alias:
            throw ConfigurationError(at: origin, key: key, found: "an alias", allowed: "a value")
        }
    }

    private static func syntaxError(_ error: any Error, text: String, origin: Origin) -> ConfigurationError {
        var origin = origin
        let key: String
        let found: String
        let allowed: String
        switch error {
        case YamlError.duplicatedKeysInMapping(let duplicates, let context):
            origin = origin.moved(to: context.mark)
            key = duplicates.first ?? ""
            found = "the key more than once in one mapping"
            allowed = "each key once"
        case YamlError.scanner(_, let problem, let mark, _), YamlError.parser(_, let problem, let mark, _),
            YamlError.composer(_, let problem, let mark, _):
            origin = origin.moved(to: mark)
            key = ""
            found = "text that is not YAML: \(problem)"
            allowed = "one YAML document"
        case YamlError.reader(let problem, let offset, _, _):
            let before = text.prefix(offset ?? 0)
            if origin.line != nil { origin.line = before.count { $0.isNewline } + 1 }
            key = ""
            found = "text that is not YAML: \(problem)"
            allowed = "printable UTF-8"
        default:
            key = ""
            found = "text that is not YAML: \(error)"
            allowed = "one YAML document"
        }
        return ConfigurationError(at: origin, key: key, found: found, allowed: allowed)
    }
}

extension Origin {
    /// The place of `mark` in the same text; overrides have no lines.
    fileprivate func moved(to mark: Mark?) -> Origin {
        guard let mark, line != nil else { return self }
        var moved = self
        moved.line = mark.line
        moved.column = mark.column
        return moved
    }
}

extension String {
    /// The dotted path of a key below this path.
    func appending(key: String) -> String { isEmpty ? key : "\(self).\(key)" }

    /// The path of an element of the list at this path, as in `data.train[0]`.
    func appending(index: Int) -> String { "\(self)[\(index)]" }
}
