// Decoder - a mapping into a value by its fields: unknown keys, wrong values, missing keys.

/// Decodes mappings whose keys are `fields`; a dotted field name is a key of a section.
struct Decoder<Root: Sendable>: Sendable {
    let fields: [Field<Root>]

    /// Decodes `node` into `root` and returns every issue, in no particular order.
    func decode(_ node: YAMLNode, key: String, into root: inout Root) -> [LocatedIssue] {
        decode(node, key: key, prefix: "", into: &root)
    }

    private func decode(
        _ node: YAMLNode, key: String, prefix: String, into root: inout Root
    ) -> [LocatedIssue] {
        guard case .mapping(let pairs) = node.content else {
            let allowed = "a mapping with keys among \(keys(below: prefix).joined(separator: ", "))"
            return [LocatedIssue(at: node.origin, key: key, found: node.found, allowed: allowed)]
        }
        var issues: [LocatedIssue] = []
        var seen: Set<String> = []
        for pair in pairs {
            let path = key.appending(key: pair.key)
            // A key that is written with dots is no path.
            let name = pair.key.contains(".") ? "" : prefix.appending(key: pair.key)
            if !seen.insert(pair.key).inserted {
                issues.append(
                    LocatedIssue(at: pair.origin, key: path, found: "the key more than once", allowed: "each key once"))
            } else if let field = fields.first(where: { $0.name == name }) {
                issues += field.decode(pair.value, path, &root)
            } else if fields.contains(where: { $0.name.hasPrefix(name + ".") }) {
                issues += decode(pair.value, key: path, prefix: name, into: &root)
            } else {
                issues += unknown(pair, path: path, prefix: prefix)
            }
        }
        // A section that is there reports its own missing keys.
        for name in names(below: prefix) where !seen.contains(Self.firstKey(of: name)) {
            guard let field = fields.first(where: { $0.name == prefix.appending(key: name) }), field.isRequired else {
                continue
            }
            issues.append(
                LocatedIssue(
                    at: node.origin, key: key.appending(key: name), found: "no such key", allowed: field.allowed))
        }
        return issues
    }

    /// The names of the fields at and below the mapping at `prefix`, seen from there.
    private func names(below prefix: String) -> [String] {
        if prefix.isEmpty { return fields.map(\.name) }
        return fields.filter { $0.name.hasPrefix(prefix + ".") }.map { String($0.name.dropFirst(prefix.count + 1)) }
    }

    private static func firstKey(of name: String) -> String { String(name.prefix { $0 != "." }) }

    /// The keys of the mapping at `prefix`, each once, in the order of the fields.
    private func keys(below prefix: String) -> [String] {
        var keys: [String] = []
        for key in names(below: prefix).map(Self.firstKey) where !keys.contains(key) { keys.append(key) }
        return keys
    }

    private func unknown(_ pair: YAMLNode.Pair, path: String, prefix: String) -> [LocatedIssue] {
        let siblings = keys(below: prefix)
        let elsewhere = fields.map(\.name).filter { $0.split(separator: ".").last.map(String.init) == pair.key }
        let parent = String(path.dropLast(pair.key.count))
        let nearest =
            elsewhere.first.map { prefix.isEmpty ? parent + $0 : $0 }
            ?? Spelling.nearest(to: pair.key, among: siblings).map { parent + $0 }
        let suggestion = nearest.map { "; did you mean \($0)?" } ?? ""
        return [
            LocatedIssue(
                at: pair.origin, key: path, found: "an unknown key",
                allowed: siblings.joined(separator: ", ") + suggestion)
        ]
    }
}

/// Finds what a misspelt word was meant to be.
enum Spelling {
    /// The candidate nearest to `word`, the first of equals; nil where none is near enough to be meant.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        let scored = candidates.map { (distance: distance(word, $0), candidate: $0) }
        guard let best = scored.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= max(2, word.count / 2) && best.distance < max(word.count, best.candidate.count)
            ? best.candidate : nil
    }

    /// Insertions, deletions and replacements of a character that turn one word into the other.
    static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var previous = Array(0...right.count)
        for (row, character) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                let replaced = previous[column] + (character == other ? 0 : 1)
                current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous[right.count]
    }
}
