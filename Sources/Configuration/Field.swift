// Field - one key of the configuration, described once: type, range, default, help, decoding, output, resume rule.

/// A key of `Root`. The same description decodes the key, prints it, documents it and compares it on resume.
struct Field<Root: Sendable>: Sendable {
    /// Whether a resumed run may change a key.
    enum ResumeRule: Sendable {
        /// Another value is another run.
        case mustMatch
        /// Another value is allowed, and logged.
        case mayChange
    }

    /// Reads a value into a root. The key is the path that messages name; the result is what is wrong with the value.
    typealias Decode = @Sendable (YAMLNode, _ key: String, inout Root) -> [LocatedIssue]

    /// The key; dotted for a key of a section.
    let name: String
    let help: String
    /// The allowed values in words.
    let allowed: String
    /// Whether a configuration must name it, because there can be no default.
    var isRequired = false
    var resume = ResumeRule.mayChange
    /// The default in words, where it depends on another key.
    var standard: String?
    /// Keys of the elements, for a list of mappings.
    var elements: [FieldDescription] = []
    let decode: Decode
    let encode: @Sendable (Root) -> OutputValue
    /// Whether a mapping in a list is written without the key where it has its default.
    var isOmittedByDefault = false
    /// The part of the value that a resumed run may not change.
    var identity: (@Sendable (Root) -> OutputValue)?

    /// The key marked as one that a configuration must name.
    var required: Field {
        var copy = self
        copy.isRequired = true
        return copy
    }

    /// The key of a mapping in a list marked as one that is written only where it differs from its default.
    var omittedByDefault: Field {
        var copy = self
        copy.isOmittedByDefault = true
        return copy
    }

    /// The key marked as one that a resumed run may not change.
    var fixed: Field {
        var copy = self
        copy.resume = .mustMatch
        copy.identity = encode
        return copy
    }

    /// The key with a part that a resumed run may not change: the part that `identity` gives.
    func fixed(by identity: @escaping @Sendable (Root) -> OutputValue) -> Field {
        var copy = self
        copy.resume = .mustMatch
        copy.identity = identity
        return copy
    }

    /// The key of a section's value as a dotted key of the whole.
    ///
    /// - Parameter path: the section's value.
    func inSection<Whole: Sendable>(
        _ section: String, _ path: any WritableKeyPath<Whole, Root> & Sendable
    ) -> Field<Whole> {
        var field = Field<Whole>(
            name: section + "." + name, help: help, allowed: allowed, isRequired: isRequired,
            standard: standard, elements: elements,
            decode: { [decode] node, key, whole in decode(node, key, &whole[keyPath: path]) },
            encode: { [encode] in encode($0[keyPath: path]) })
        if resume == .mustMatch { field.resume = .mustMatch }
        if let identity { field.identity = { identity($0[keyPath: path]) } }
        return field
    }

    /// The entry of the key in the reference. The default is the value in `defaults`.
    func description(defaults: Root) -> FieldDescription {
        FieldDescription(
            name: name, help: help, allowed: allowed,
            standard: isRequired ? nil : standard ?? encode(defaults).text(json: false), elements: elements)
    }

    /// The key with a default in words, where it depends on another key.
    func standard(_ words: String) -> Field {
        var copy = self
        copy.standard = words
        return copy
    }
}

/// The entry of a key in the reference.
struct FieldDescription: Sendable {
    var name: String
    var help: String
    var allowed: String
    /// The default in YAML; nil for a key that a configuration must name.
    var standard: String?
    /// Keys of the elements, for a list of mappings.
    var elements: [FieldDescription]
}

/// The reason for which a value of the right type is refused.
struct Refusal: Sendable {
    /// Continues "found 3 (integer), ...".
    var reason: String
    var allowed: String
}

extension Field {
    private static func issue(
        _ node: YAMLNode, _ key: String, allowed: String, reason: String? = nil
    ) -> [LocatedIssue] {
        let found = reason.map { "\(node.found), \($0)" } ?? node.found
        return [LocatedIssue(at: node.origin, key: key, found: found, allowed: allowed)]
    }

    /// A field whose value is read from a scalar, checked, and written through a key path.
    private static func scalar<Value: Sendable>(
        _ name: String, _ path: any WritableKeyPath<Root, Value> & Sendable, allowed: String, help: String,
        refuse: (@Sendable (Value) -> Refusal?)?, read: @escaping @Sendable (YAMLNode.Scalar) -> Value?,
        write: @escaping @Sendable (Value) -> OutputValue
    ) -> Field {
        Field(
            name: name, help: help, allowed: allowed,
            decode: { node, key, root in
                guard case .scalar(let scalar, _) = node.content, let value = read(scalar) else {
                    return issue(node, key, allowed: allowed)
                }
                if let refusal = refuse?(value) {
                    return issue(node, key, allowed: refusal.allowed, reason: refusal.reason)
                }
                root[keyPath: path] = value
                return []
            },
            encode: { write($0[keyPath: path]) })
    }

    static func integer<Value: FixedWidthInteger & Sendable>(
        _ name: String, _ path: any WritableKeyPath<Root, Value> & Sendable, _ range: ClosedRange<Value>,
        _ help: String
    ) -> Field {
        scalar(
            name, path, allowed: "an integer from \(range.lowerBound) to \(range.upperBound)", help: help, refuse: nil,
            read: { scalar in
                guard case .integer(let integer) = scalar, let value = Value(exactly: integer) else { return nil }
                return range.contains(value) ? value : nil
            },
            write: { .integer(String($0)) })
    }

    static func number(
        _ name: String, _ path: any WritableKeyPath<Root, Double> & Sendable, _ range: NumberRange, _ help: String
    ) -> Field {
        scalar(
            name, path, allowed: range.description, help: help, refuse: nil,
            read: { scalar in
                let value: Double
                switch scalar {
                case .integer(let integer): value = Double(integer)
                case .number(let number): value = number
                default: return nil
                }
                return range.contains(value) ? value : nil
            },
            write: { .number($0) })
    }

    static func boolean(
        _ name: String, _ path: any WritableKeyPath<Root, Bool> & Sendable, _ help: String
    ) -> Field {
        scalar(
            name, path, allowed: "true or false", help: help, refuse: nil,
            read: { scalar in
                guard case .boolean(let value) = scalar else { return nil }
                return value
            },
            write: { .boolean($0) })
    }

    /// One of an enumeration's words.
    static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable & Equatable>(
        _ name: String, _ path: any WritableKeyPath<Root, Value> & Sendable, _ help: String
    ) -> Field {
        let allowed = "one of " + Value.allCases.map(\.rawValue).joined(separator: ", ")
        return scalar(
            name, path, allowed: allowed, help: help, refuse: nil,
            read: { scalar in
                guard case .text(let word) = scalar else { return nil }
                return Value(rawValue: word)
            },
            write: { .word($0.rawValue) })
    }

    /// One of `words`, by a getter and a setter that refuses others.
    static func word(
        _ name: String, _ words: [String], get: @escaping @Sendable (Root) -> String,
        set: @escaping @Sendable (inout Root, _ word: String) -> Bool, _ help: String
    ) -> Field {
        let allowed = "one of " + words.joined(separator: ", ")
        return Field(
            name: name, help: help, allowed: allowed,
            decode: { node, key, root in
                guard case .scalar(.text(let word), _) = node.content, set(&root, word) else {
                    return issue(node, key, allowed: allowed)
                }
                return []
            },
            encode: { .word(get($0)) })
    }

    /// One or several texts: a text, or a list of texts.
    static func texts(
        _ name: String, _ path: any WritableKeyPath<Root, [String]> & Sendable, allowed: String,
        refuse: @escaping @Sendable (String) -> Refusal?, _ help: String
    ) -> Field {
        @Sendable func issues(_ node: YAMLNode, _ key: String) -> (String?, [LocatedIssue]) {
            guard case .scalar(.text(let text), _) = node.content else {
                return (nil, issue(node, key, allowed: allowed))
            }
            let isControl = text.unicodeScalars.contains { $0.properties.generalCategory == .control }
            let refusal = isControl ? Refusal(reason: "which has control characters", allowed: allowed) : refuse(text)
            guard let refusal else { return (text, []) }
            return (nil, issue(node, key, allowed: refusal.allowed, reason: refusal.reason))
        }
        return Field(
            name: name, help: help, allowed: allowed,
            decode: { node, key, root in
                guard case .sequence(let elements) = node.content else {
                    let (text, found) = issues(node, key)
                    if let text { root[keyPath: path] = [text] }
                    return found
                }
                guard !elements.isEmpty else { return issue(node, key, allowed: allowed, reason: "which is empty") }
                let values = elements.enumerated().map { issues($1, key.appending(index: $0)) }
                root[keyPath: path] = values.compactMap(\.0)
                return values.flatMap(\.1)
            },
            encode: { root in
                let values = root[keyPath: path]
                return values.count == 1 ? .text(values[0]) : .list(values.map { .text($0) })
            })
    }

    /// Text without control characters, which would break the lines of logs and messages.
    ///
    /// - Parameters:
    ///   - allowsControls: whether the text may have them, because no message shows it as it is.
    ///   - allowsIntegers: whether an integer is its decimal digits.
    ///   - convert: gives the value that is checked and kept for a text.
    static func text(
        _ name: String, _ path: any WritableKeyPath<Root, String> & Sendable, allowed: String = "text",
        allowsControls: Bool = false, allowsIntegers: Bool = false,
        convert: @escaping @Sendable (String) -> String = { $0 },
        refuse: (@Sendable (String) -> Refusal?)? = nil, _ help: String
    ) -> Field {
        scalar(
            name, path, allowed: allowed, help: help,
            refuse: { text in
                let isControl = text.unicodeScalars.contains { $0.properties.generalCategory == .control }
                return isControl && !allowsControls
                    ? Refusal(reason: "which has control characters", allowed: allowed) : refuse?(text)
            },
            read: { scalar in
                switch scalar {
                case .text(let text): return convert(text)
                case .integer(let integer) where allowsIntegers: return convert(String(integer))
                default: return nil
                }
            },
            write: { .text($0) })
    }
}

extension Field {
    /// A list of integers.
    static func integers<Value: FixedWidthInteger & Sendable>(
        _ name: String, _ path: any WritableKeyPath<Root, [Value]> & Sendable, _ range: ClosedRange<Value>,
        _ help: String
    ) -> Field {
        let allowed = "a list of integers from \(range.lowerBound) to \(range.upperBound), as in [0, 2]"
        return Field(
            name: name, help: help, allowed: allowed,
            decode: { node, key, root in
                guard case .sequence(let elements) = node.content else { return issue(node, key, allowed: allowed) }
                var values: [Value] = []
                var issues: [LocatedIssue] = []
                for (index, element) in elements.enumerated() {
                    if case .scalar(.integer(let integer), _) = element.content, let value = Value(exactly: integer),
                        range.contains(value)
                    {
                        values.append(value)
                    } else {
                        issues += issue(
                            element, key.appending(index: index),
                            allowed: "an integer from \(range.lowerBound) to \(range.upperBound)")
                    }
                }
                root[keyPath: path] = values
                return issues
            },
            encode: { .list($0[keyPath: path].map { .integer(String($0)) }) })
    }

    /// A list of an enumeration's words, each at most once.
    ///
    /// - Parameter refuse: gives the reason for which a whole list is refused.
    static func choices<Value: RawRepresentable<String> & CaseIterable & Sendable & Hashable>(
        _ name: String, _ path: any WritableKeyPath<Root, [Value]> & Sendable,
        refuse: @escaping @Sendable ([Value]) -> Refusal?, _ help: String
    ) -> Field {
        let words = Value.allCases.map(\.rawValue).joined(separator: ", ")
        let allowed = "a list of words among \(words), each at most once"
        return Field(
            name: name, help: help, allowed: allowed,
            decode: { node, key, root in
                guard case .sequence(let elements) = node.content else { return issue(node, key, allowed: allowed) }
                var values: [Value] = []
                var issues: [LocatedIssue] = []
                for (index, element) in elements.enumerated() {
                    let place = key.appending(index: index)
                    guard case .scalar(.text(let word), _) = element.content, let value = Value(rawValue: word) else {
                        issues += issue(element, place, allowed: "one of \(words)")
                        continue
                    }
                    if values.contains(value) {
                        issues += issue(element, place, allowed: "each word once", reason: "which is there twice")
                    }
                    values.append(value)
                }
                if issues.isEmpty, let refusal = refuse(values) {
                    issues = issue(node, key, allowed: refusal.allowed, reason: refusal.reason)
                }
                root[keyPath: path] = values
                return issues
            },
            encode: { .list($0[keyPath: path].map { .word($0.rawValue) }) })
    }

    /// A list of mappings, each decoded into a copy of `standard` by `fields`.
    ///
    /// - Parameter isIdentifying: whether a resumed run must keep an element.
    static func objects<Element: Sendable>(
        _ name: String, _ path: any WritableKeyPath<Root, [Element]> & Sendable, standard: Element,
        fields: [Field<Element>], isIdentifying: @escaping @Sendable (Element) -> Bool = { _ in true }, _ help: String
    ) -> Field {
        let example = fields.filter { !$0.isOmittedByDefault }.map { "\($0.name): ..." }.joined(separator: ", ")
        let allowed = "a list of mappings, as in [{\(example)}]"
        let identifying = fields.filter { $0.resume == .mustMatch }
        var field = Field(
            name: name, help: help, allowed: allowed,
            elements: fields.map { $0.description(defaults: standard) },
            decode: { node, key, root in
                guard case .sequence(let nodes) = node.content else { return issue(node, key, allowed: allowed) }
                var values: [Element] = []
                var issues: [LocatedIssue] = []
                for (index, node) in nodes.enumerated() {
                    var value = standard
                    issues += Decoder(fields: fields).decode(node, key: key.appending(index: index), into: &value)
                    values.append(value)
                }
                root[keyPath: path] = values
                return issues
            },
            encode: { root in
                .list(
                    root[keyPath: path].map { element in
                        let written = fields.filter {
                            !$0.isOmittedByDefault || $0.encode(element) != $0.encode(standard)
                        }
                        return .object(written.map { OutputValue.Member(key: $0.name, value: $0.encode(element)) })
                    })
            })
        if !identifying.isEmpty {
            field.resume = .mustMatch
            field.identity = { root in
                .list(
                    root[keyPath: path].filter(isIdentifying).map { element in
                        .object(identifying.map { OutputValue.Member(key: $0.name, value: $0.encode(element)) })
                    })
            }
        }
        return field
    }
}
