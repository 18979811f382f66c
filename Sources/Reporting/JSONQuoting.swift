// JSONQuoting - JSON strings in double quotes, with the escapes that each kind of file has.

/// The characters that a quoted string writes as escapes, beside the double quote and the backslash.
///
/// Why three: the bytes of metrics, of Hugging Face's files and of resolved configurations are public, and each kind of
/// file has its own readers.
public enum JSONEscapes: Sendable {
    /// Control characters, the least that JSON asks for: rows and reports of this program.
    case controls
    /// All characters but printable ASCII, as Python's `json.dumps` writes by default.
    case nonASCII
    /// Control characters, line separators and characters that libyaml refuses, always by number: what YAML reads too.
    case yaml

    /// Whether a line feed is `\n` and not `\u000A`, and so on.
    fileprivate var hasShortForms: Bool { self != .yaml }

    fileprivate func include(_ scalar: Unicode.Scalar) -> Bool {
        switch self {
        case .controls: scalar.value < 0x20
        case .nonASCII: !(" "..."~").contains(scalar)
        case .yaml:
            switch scalar {
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}"..."\u{2029}", "\u{FEFF}", "\u{FFFE}"..."\u{FFFF}":
                true
            default: false
            }
        }
    }
}

extension JSONValue {
    /// `text` as a JSON string, in double quotes.
    public static func quoted(_ text: String, escaping escapes: JSONEscapes = .controls) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n" where escapes.hasShortForms: result += "\\n"
            case "\r" where escapes.hasShortForms: result += "\\r"
            case "\t" where escapes.hasShortForms: result += "\\t"
            case _ where escapes.include(scalar):
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16, uppercase: escapes == .yaml)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
