// YAMLNode+Overrides - `--set key.path=value` applied to a parsed configuration.

extension YAMLNode {
    /// Applies `overrides` in order: a later one wins. Values are YAML; an empty value is the empty text.
    ///
    /// An element of a list is `data.train.0.path`, which no shell takes for a pattern, or `data.train[0].path`.
    ///
    /// - Throws: ``ConfigurationError`` naming the override.
    mutating func apply(_ overrides: [String]) throws(ConfigurationError) {
        for (index, override) in overrides.enumerated() {
            let origin = Origin(file: "--set \(override)", line: nil, source: index + 1)
            let parts = override.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let path = parts[0].replacing(#/\[([0-9]+)\]/#) { ".\($0.1)" }
                .split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, path.allSatisfy({ !$0.isEmpty }) else {
                throw ConfigurationError(
                    at: origin, key: "", found: OutputValue.quoted(override),
                    allowed: "KEY=VALUE with a dotted key, as in training.seed=7 or data.train.0.path=books.txt")
            }
            let text = String(parts[1])
            let empty = YAMLNode(content: .scalar(.text(""), source: ""), origin: origin)
            let value = text.isEmpty ? empty : try YAMLNode.parse(text, origin: origin) ?? empty
            try set(value, at: path[...], below: "", origin: origin)
        }
    }

    private mutating func set(
        _ value: YAMLNode, at path: ArraySlice<String>, below parent: String, origin: Origin
    ) throws(ConfigurationError) {
        guard let key = path.first else {
            self = value
            return
        }
        let rest = path.dropFirst()
        var full = parent.appending(key: key)
        if case .sequence = content, let index = Int(key) { full = parent.appending(index: index) }
        switch content {
        case .mapping(var pairs):
            let index = pairs.firstIndex { $0.key == key } ?? pairs.count
            if index == pairs.count {
                pairs.append(Pair(key: key, origin: origin, value: YAMLNode(content: .mapping([]), origin: origin)))
            }
            if rest.isEmpty { pairs[index].origin = origin }
            try pairs[index].value.set(value, at: rest, below: full, origin: origin)
            content = .mapping(pairs)
        case .sequence(var elements):
            guard let index = Int(key), elements.indices.contains(index) else {
                let allowed = elements.isEmpty ? "the whole list" : "an index from 0 to \(elements.count - 1)"
                throw ConfigurationError(
                    at: origin, key: full, found: "no such element of the list", allowed: allowed)
            }
            try elements[index].set(value, at: rest, below: full, origin: origin)
            content = .sequence(elements)
        case .scalar:
            throw ConfigurationError(
                at: origin, key: parent, found: self.found, allowed: "a mapping, to set \(full) in it")
        }
    }
}
