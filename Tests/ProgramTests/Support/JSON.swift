// JSON - what the program writes for other programs, taken apart.

import Foundation
import TestSupport

/// Something that should have been JSON of a known form and is not.
struct UnexpectedText: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Any JSON; unlike `JSONSerialization`, it tells 1 from true.
private enum JSONValue: Decodable {
    case null
    case boolean(Bool)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .list(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    var number: Double? {
        if case .number(let value) = self { value } else { nil }
    }
}

/// A JSON object.
struct JSONObject {
    let text: String
    private let values: [String: JSONValue]

    init(_ text: String) throws {
        self.text = text
        guard let values = try? JSONDecoder().decode([String: JSONValue].self, from: Data(text.utf8)) else {
            throw UnexpectedText("no JSON object: \(text)")
        }
        self.values = values
    }

    private init(_ values: [String: JSONValue], text: String) {
        self.values = values
        self.text = text
    }

    var keys: Set<String> { Set(values.keys) }

    /// A number; nil for null, anything else and nothing.
    func number(_ key: String) -> Double? { values[key]?.number }

    func isNull(_ key: String) -> Bool {
        if case .null = values[key] { true } else { false }
    }

    func isTrue(_ key: String) -> Bool {
        if case .boolean(true) = values[key] { true } else { false }
    }

    func string(_ key: String) -> String? {
        if case .text(let text) = values[key] { text } else { nil }
    }

    func object(_ key: String) throws -> JSONObject {
        guard case .object(let values) = values[key] else { throw UnexpectedText("no object \(key): \(text)") }
        return JSONObject(values, text: text)
    }

    /// A list of numbers.
    func numbers(_ key: String) -> [Double]? {
        if case .list(let list) = values[key] { list.compactMap(\.number) } else { nil }
    }
}

/// `metrics.jsonl`.
struct Metrics {
    /// Every row, in the order of the file.
    let rows: [JSONObject]
    /// The training row of each step that counts: the last.
    private(set) var steps: [Int: JSONObject] = [:]
    /// Likewise the evaluation row.
    private(set) var evaluations: [Int: JSONObject] = [:]
    /// Likewise the row of a save.
    private(set) var saves: [Int: JSONObject] = [:]

    /// - Throws: for a line that is no row.
    init(text: String) throws {
        guard text.isEmpty || text.hasSuffix("\n") else {
            throw UnexpectedText("the last row has no end: \(text.suffix(200))")
        }
        rows = try text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map {
            try JSONObject(String($0))
        }
        for row in rows {
            guard let step = row.number("step").flatMap({ Int(exactly: $0) }) else {
                throw UnexpectedText("a row without a step: \(row.text)")
            }
            if row.keys.contains("validation_ce") {
                evaluations[step] = row
            } else if row.keys.contains("saved") {
                saves[step] = row
            } else {
                steps[step] = row
            }
        }
    }

    /// One value of consecutive steps.
    func values(_ key: String, _ range: ClosedRange<Int>) throws -> [Double] {
        try range.map { step in
            guard let value = steps[step]?.number(key) else { throw UnexpectedText("step \(step) has no \(key)") }
            return value
        }
    }

    func losses(_ range: ClosedRange<Int>) throws -> [Double] { try values("loss", range) }
}

/// The object of `inspect --json`.
struct Inspection {
    let object: JSONObject
    let tensors: [String: JSONObject]

    init(text: String) throws {
        object = try JSONObject(text)
        let all = try object.object("tensors")
        tensors = Dictionary(uniqueKeysWithValues: try all.keys.map { ($0, try all.object($0)) })
    }

    /// The hashes of one role by tensor: `parameter`, `first_moment` or `second_moment`.
    func hashes(_ role: String) -> [String: String] { tensors.compactMapValues { $0.string(role) } }
}

/// nil when each number is within a share `tolerance` of its counterpart; otherwise the worst pair.
func difference(_ actual: [Double], _ expected: [Double], within tolerance: Double) -> String? {
    guard actual.count == expected.count else { return "\(actual.count) numbers, expected \(expected.count)" }
    let errors = zip(actual, expected).map { abs($0 - $1) / abs($1) }
    guard let worst = errors.indices.max(by: { errors[$0] < errors[$1] }), !(errors[worst] <= tolerance) else {
        return nil
    }
    return "[\(worst)]: \(actual[worst]), expected \(expected[worst]), relative error \(errors[worst])"
}
