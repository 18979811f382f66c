// Inspection - the JSON of `inspect`: what a checkpoint is and what its tensors hash to.

internal import FoundationEssentials
internal import LlamaModel
public import Tensors

extension CheckpointReader {
    /// The tensors whose parameters or optimizer state are not all finite.
    public func nonFiniteTensors(_ hashes: [TensorHash]) -> NonFiniteTensors {
        NonFiniteTensors(
            zip(index.model.tensorTable.entries, hashes).map { entry, hash in
                NonFiniteTensors.Tensor(
                    name: entry.name, count: hash.nonFinite.values.max() ?? 0, elementCount: entry.count)
            }, of: hashes.count)
    }

    /// The object that `mile-dist inspect --json` prints, on one line.
    ///
    /// Keys: `format`, `step`, `position`, `tokens`, `ranks_written`, `configuration` (an object; empty for an imported
    /// checkpoint) and `tensors`, by name, each with `shape`, and the SHA-256 of `parameter` and of the optimizer's state
    /// tensors (AdamW: `first_moment`, `second_moment`) as row-major little-endian fp32. Where elements are NaN or
    /// infinite, `non_finite` has their numbers.
    ///
    /// - Parameter hashes: those of ``tensorHashes()``; nil: they are computed.
    /// - Throws: ``CheckpointError`` when a tensor cannot be read or the stored configuration is not JSON.
    public func inspectionJSON(_ hashes: [TensorHash]? = nil) throws -> String {
        struct Summary: Encodable {
            var format: Int
            var step: Int
            var position: Int
            var tokens: Int
            var ranks_written: Int
            var configuration: StoredJSON
            var tensors: [String: StoredJSON]
        }
        let text = index.configuration.isEmpty ? "{}" : index.configuration
        let configuration = try JSONText.decode(
            StoredJSON.self, from: Array(text.utf8), of: directory + "/" + IndexFile.name)
        var tensors: [String: StoredJSON] = [:]
        for hash in try hashes ?? tensorHashes() {
            var tensor: [String: StoredJSON] = ["shape": .array(hash.shape.map { .integer(Int64($0)) })]
            for (role, digits) in hash.hashes { tensor[role.rawValue] = .text(digits) }
            if hash.nonFinite.values.contains(where: { $0 > 0 }) {
                let counts = hash.nonFinite.map { ($0.rawValue, StoredJSON.integer(Int64($1))) }
                tensor["non_finite"] = .object(Dictionary(uniqueKeysWithValues: counts))
            }
            tensors[hash.name] = .object(tensor)
        }
        return try JSONText.text(
            Summary(
                format: CheckpointIndex.formatVersion, step: index.step, position: index.position,
                tokens: index.tokens, ranks_written: index.ranksWritten, configuration: configuration,
                tensors: tensors))
    }
}

/// JSON of any form, decoded and encoded again by Foundation, whose key order and digits `inspect --json` has. Integers stay
/// integers.
enum StoredJSON: Codable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    case number(Double)
    case text(String)
    case array([StoredJSON])
    case object([String: StoredJSON])

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
        } else if let value = try? container.decode([StoredJSON].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: StoredJSON].self))
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
