// ShardRecord - what the index says about one shard file, and what ranks tell rank 0 about theirs.

internal import FoundationEssentials

/// One shard file: its name, its exact bytes and the part of the flat space that it holds.
public struct ShardRecord: Codable, Sendable, Equatable {
    /// Name inside the step directory, for example `shard-00002-of-00004.h5`.
    public var fileName: String
    public var byteCount: Int
    /// SHA-256 of the file, 64 lower-case hexadecimal digits.
    public var sha256: String
    /// Ascending ranges of the flat space, in the order in which the file holds them; none for an idle rank.
    public var runs: [Range<Int>]

    enum CodingKeys: String, CodingKey {
        case fileName = "file_name"
        case byteCount = "byte_count"
        case sha256
        case runs
    }

    public init(fileName: String, byteCount: Int, sha256: String, runs: [Range<Int>]) {
        self.fileName = fileName
        self.byteCount = byteCount
        self.sha256 = sha256
        self.runs = runs
    }

    /// The only name that shard `shard` of `count` may have.
    static func fileName(shard: Int, of count: Int) -> String {
        "shard-\(fiveDigits(shard))-of-\(fiveDigits(count)).h5"
    }

    private static func fiveDigits(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
}

extension ShardRecord {
    /// The record as bytes, for a gather. Their number varies with the runs.
    public func encoded() throws -> [UInt8] { try JSONText.encode(self) }

    /// Reads what ``encoded()`` returned.
    ///
    /// - Throws: ``CheckpointError`` of kind `corrupt` for anything else.
    public init(decoding bytes: [UInt8]) throws {
        self = try JSONText.decode(ShardRecord.self, from: bytes, of: "a gathered shard record")
    }
}

/// JSON with keys in one fixed order, so that equal values are equal bytes.
enum JSONText {
    static func encode<Value: Encodable>(_ value: Value) throws(CheckpointError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return [UInt8](try encoder.encode(value))
        } catch {
            throw CheckpointError(.io, file: "\(Value.self)", "the value cannot be written as JSON: \(error)")
        }
    }

    static func text<Value: Encodable>(_ value: Value) throws(CheckpointError) -> String {
        String(decoding: try encode(value), as: UTF8.self)
    }

    static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: [UInt8], of file: String
    ) throws(CheckpointError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw CheckpointError(.corrupt, file: file, "malformed \(Value.self): \(error)")
        }
    }
}
