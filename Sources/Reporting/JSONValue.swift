// JSONLine - JSON objects with keys in a chosen order and numbers that read back exactly.

internal import Foundation

/// A JSON value. Objects keep the order of their keys, which `JSONEncoder` does not offer, because people read these files.
public indirect enum JSONValue: Sendable, Equatable {
    case integer(Int)
    /// Non-finite values are written as null.
    case number(Double)
    case string(String)
    case boolean(Bool)
    case null
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    /// One line, without blanks at its end.
    public var text: String {
        switch self {
        case .integer(let value): return String(value)
        // Swift prints the shortest digits that read back to the same double.
        case .number(let value): return value.isFinite ? "\(value)" : "null"
        case .string(let value): return Self.quote(value)
        case .boolean(let value): return value ? "true" : "false"
        case .null: return "null"
        case .array(let values): return "[" + values.map(\.text).joined(separator: ", ") + "]"
        case .object(let pairs):
            return "{" + pairs.map { "\(Self.quote($0.key)): \($0.value.text)" }.joined(separator: ", ") + "}"
        }
    }

    public static func == (a: JSONValue, b: JSONValue) -> Bool { a.text == b.text }

    private static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20: result += String(format: "\\u%04x", scalar.value)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
