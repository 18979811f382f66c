// Decoder - decodes a mapping by its fields, and reports unknown, wrong and missing keys.

/// Decodes mappings whose keys are `fields`. A dotted field name is a key of a section.
struct Decoder<Root: Sendable>: Sendable {
    let fields: [Field<Root>]

    /// Decodes `node` into `root` and returns every mistake, in no particular order.
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
        let elsewhere: [String] = fields.map(\.name).filter { (name: String) -> Bool in
            name.split(separator: ".").last.map { String($0) } == pair.key
        }
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
