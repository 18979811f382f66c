// OutputValue - a value of a configuration, written as YAML or JSON.

internal import Reporting

/// A value of a resolved configuration, before it is written.
enum OutputValue: Sendable, Equatable {
    case integer(String)
    case number(Double)
    case boolean(Bool)
    case text(String)
    /// One of the fixed words of a key; YAML needs no quotes.
    case word(String)
    case list([OutputValue])
    case object([Member])

    struct Member: Sendable, Equatable {
        var key: String
        var value: OutputValue
    }

    /// The value on one line. JSON quotes words and keys and sorts the keys of objects; YAML does neither.
    func text(json: Bool) -> String {
        switch self {
        case .integer(let digits): return digits
        case .number(let number): return Self.exact(number)
        case .boolean(let value): return value ? "true" : "false"
        case .text(let text): return Self.quoted(text)
        case .word(let word): return json ? Self.quoted(word) : word
        case .list(let elements): return "[" + elements.map { $0.text(json: json) }.joined(separator: ", ") + "]"
        case .object(let members):
            let ordered = json ? members.sorted { $0.key < $1.key } : members
            let pairs = ordered.map { member in
                (json ? Self.quoted(member.key) : member.key) + ": " + member.value.text(json: json)
            }
            return "{" + pairs.joined(separator: ", ") + "}"
        }
    }

    /// The shortest decimal that reads back as the same number. Exponents get a point, as in `1.0e-05`.
    /// Why: YAML 1.1 readers take `1e-05` for text.
    static func exact(_ number: Double) -> String {
        let text = number.description
        guard let exponent = text.firstIndex(of: "e"), !text[..<exponent].contains(".") else { return text }
        return text[..<exponent] + ".0" + text[exponent...]
    }

    /// `text` in double quotes, with the escapes that YAML and JSON share.
    static func quoted(_ text: String) -> String { JSONValue.quoted(text, escaping: .yaml) }
}
