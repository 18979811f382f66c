// JSONValue - JSON values to be written, with keys in a chosen order and numbers that read back exactly.

/// A JSON value to be written.
///
/// Why not `JSONEncoder`: people read these files, so objects keep the order of their keys. `JSONTree` of `HuggingFace`
/// is another type because it reads as well, and keeps the digits of numbers.
public indirect enum JSONValue: Sendable, Equatable {
    case integer(Int)
    /// Non-finite values are written as null.
    case number(Double)
    case string(String)
    case boolean(Bool)
    case null
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    /// The value on one line.
    public var text: String {
        switch self {
        case .integer(let value): return String(value)
        // Swift prints the shortest digits that read back to the same double.
        case .number(let value): return value.isFinite ? "\(value)" : "null"
        case .string(let value): return Self.quoted(value)
        case .boolean(let value): return value ? "true" : "false"
        case .null: return "null"
        case .array(let values): return "[" + values.map(\.text).joined(separator: ", ") + "]"
        case .object(let pairs):
            return "{" + pairs.map { "\(Self.quoted($0.key)): \($0.value.text)" }.joined(separator: ", ") + "}"
        }
    }

    /// Whether both are written with equal text, so that NaN equals NaN and the order of keys counts.
    public static func == (a: JSONValue, b: JSONValue) -> Bool { a.text == b.text }
}
