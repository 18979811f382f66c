// Inspection - the JSON of `inspect`: what a checkpoint is and what its tensors hash to.

internal import FoundationEssentials

extension CheckpointReader {
    /// The object that `mile-dist inspect --json` prints, on one line.
    ///
    /// Keys: `format`, `step`, `position`, `tokens`, `ranks_written`, `configuration` (an object; empty for an imported
    /// checkpoint) and `tensors`, by name, each with `shape` and the SHA-256 of `parameter`, `first_moment` and
    /// `second_moment` as row-major little-endian fp32.
    ///
    /// - Throws: ``CheckpointError`` when a tensor cannot be read or the stored configuration is not JSON.
    public func inspectionJSON() throws -> String {
        struct Tensor: Encodable {
            var shape: [Int]
            var parameter: String
            var first_moment: String
            var second_moment: String
        }
        struct Summary: Encodable {
            var format: Int
            var step: Int
            var position: Int
            var tokens: Int
            var ranks_written: Int
            var configuration: JSONValue
            var tensors: [String: Tensor]
        }
        let text = index.configuration.isEmpty ? "{}" : index.configuration
        let configuration = try JSONText.decode(
            JSONValue.self, from: Array(text.utf8), of: directory + "/" + IndexFile.name)
        var tensors: [String: Tensor] = [:]
        for hash in try tensorHashes() {
            tensors[hash.name] = Tensor(
                shape: hash.shape, parameter: hash.parameter, first_moment: hash.firstMoment,
                second_moment: hash.secondMoment)
        }
        return try JSONText.text(
            Summary(
                format: CheckpointIndex.formatVersion, step: index.step, position: index.position,
                tokens: index.tokens, ranks_written: index.ranksWritten, configuration: configuration,
                tensors: tensors))
    }
}

/// Any JSON, kept as it is; integers stay integers.
enum JSONValue: Codable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    case number(Double)
    case text(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(UInt64.self) {
            self = .unsigned(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .unsigned(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}
