// RunConfiguration+Output - the resolved configuration as YAML and JSON, and the reference of all keys.

extension RunConfiguration {
    /// The resolved configuration, every key; `load` reads it back to an equal value.
    public var yaml: String {
        var lines: [String] = []
        for (section, fields) in Self.sections {
            lines.append("\(section):")
            for (key, field) in fields {
                let value = field.encode(self)
                // Domains one to a line; a list of numbers stays on its key's line.
                if case .list(let elements) = value, !field.elements.isEmpty, !elements.isEmpty {
                    lines.append("  \(key):")
                    lines += elements.map { "    - \($0.text(json: false))" }
                } else {
                    lines.append("  \(key): \(value.text(json: false))")
                }
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The resolved configuration and its name as one line of JSON with sorted keys; `fromJSON` reads it back.
    public var json: String {
        var members = Self.sections.map { section, fields in
            OutputValue.Member(
                key: section,
                value: .object(fields.map { OutputValue.Member(key: $0.key, value: $0.field.encode(self)) }))
        }
        members.append(OutputValue.Member(key: "name", value: .text(name)))
        return OutputValue.object(members).text(json: true)
    }

    /// Every key with its default, what it allows and what it means, for people.
    public static let reference: String = {
        var lines: [String] = []
        for (section, fields) in sections {
            lines.append("\(section):")
            for (key, field) in fields {
                var description = field.description(defaults: Schema.defaults)
                description.name = key
                lines += description.lines(indentation: "  ")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }()

    /// The fields by section, in the order of the schema.
    private static var sections: [(section: String, fields: [(key: String, field: Field<RunConfiguration>)])] {
        var sections: [(section: String, fields: [(key: String, field: Field<RunConfiguration>)])] = []
        for field in Schema.fields {
            let parts = field.name.split(separator: ".").map(String.init)
            precondition(parts.count == 2, "\(field.name) is not a key of a section")
            if sections.last?.section != parts[0] { sections.append((parts[0], [])) }
            sections[sections.count - 1].fields.append((parts[1], field))
        }
        return sections
    }
}

extension FieldDescription {
    fileprivate func lines(indentation: String) -> [String] {
        let standard = standard.map { "default \($0)" } ?? "required"
        var lines = ["\(indentation)\(name) (\(standard)): \(allowed)", "\(indentation)    \(help)"]
        for element in elements { lines += element.lines(indentation: indentation + "    ") }
        return lines
    }
}
