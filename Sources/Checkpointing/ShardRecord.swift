// ShardRecord - one shard file in the index. Ranks send theirs to rank 0.

/// One shard file: its name, its size, its hash, and its part of the flat space.
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
    /// The record as bytes, for a gather. Records differ in length.
    public func encoded() throws -> [UInt8] { try JSONText.encode(self) }

    /// Reads the bytes of ``encoded()``.
    ///
    /// - Throws: ``CheckpointError`` of kind `corrupt` for anything else.
    public init(decoding bytes: [UInt8]) throws {
        self = try JSONText.decode(ShardRecord.self, from: bytes, of: "a gathered shard record")
    }
}
