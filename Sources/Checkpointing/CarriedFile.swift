// CarriedFile - a small file beside a model's weights that checkpoints keep as it is.

/// A file of an imported directory that is no weights, such as a tokenizer, a chat template or a licence.
///
/// A checkpoint holds its bytes, and an export writes them back.
public struct CarriedFile: Sendable, Equatable {
    public let bytes: [UInt8]
    /// The record of the file in a checkpoint's index. Why it is stored: each save of a run needs the hash.
    let record: CarriedFileRecord

    /// Name in the imported directory.
    public var name: String { record.name }

    /// Traps for a name that ``isAllowed(_:)`` refuses.
    public init(name: String, bytes: [UInt8]) {
        precondition(Self.isAllowed(name), "a file cannot be carried under the name \(name)")
        self.bytes = bytes
        record = CarriedFileRecord(name: name, byteCount: bytes.count, sha256: Hash.bytes(bytes))
    }
}

extension CarriedFile {
    /// Most UTF-8 bytes of a name. With the prefix of its stored name it stays below the 255 of file systems.
    private static let longestName = 200

    /// Whether a file of this name can be carried: one visible component of a path, without control characters.
    ///
    /// Why: a checkpoint's names are untrusted, and an export makes files of them.
    public static func isAllowed(_ name: String) -> Bool {
        let bytes = name.utf8
        guard let first = bytes.first, first != UInt8(ascii: "."), bytes.count <= longestName else { return false }
        return !bytes.contains { byte in
            byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\")
        }
    }

    /// The files with the settings of the model and of generation.
    public static let settingsNames: Set<String> = ["config.json", "generation_config.json"]

    /// The files from which transformers makes a tokenizer.
    private static let tokenizerNames: Set<String> = [
        "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "vocab.json", "vocab.txt", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "tekken.json",
    ]

    /// Whether a file of this name is a part of a tokenizer.
    public static func isOfTokenizer(_ name: String) -> Bool {
        tokenizerNames.contains(name) || name.hasPrefix("tokenizer.model.") || name.hasSuffix(".tiktoken")
    }

    /// Parts the files of a model whose tokenizer a user names: those that stay, and the names of the others.
    ///
    /// Tokenizer files stay if `tokenizer` is one of them. Why: others may give texts other ids than training has.
    public static func split(
        _ files: [CarriedFile], by tokenizer: CheckpointIndex.Tokenizer
    ) -> (kept: [CarriedFile], dropped: [String]) {
        let isOneOfThem = files.contains { !tokenizer.bytes.isEmpty && $0.bytes == tokenizer.bytes }
        if isOneOfThem || tokenizer.name == CheckpointIndex.Tokenizer.noneName { return (files, []) }
        let dropped = files.map(\.name).filter(isOfTokenizer)
        return (files.filter { !isOfTokenizer($0.name) }, dropped)
    }
}

/// A carried file in the index: its name, its size and its hash.
public struct CarriedFileRecord: Codable, Sendable, Equatable {
    /// Name in the imported directory.
    public let name: String
    public let byteCount: Int
    /// SHA-256 of the file, 64 lower-case hexadecimal digits.
    public let sha256: String

    enum CodingKeys: String, CodingKey {
        case name
        case byteCount = "byte_count"
        case sha256
    }

    /// Name in the step directory. Why a prefix: no carried file can take the place of a checkpoint's own.
    var storedName: String { "carried-" + name }

    /// Most bytes of all carried files that are read: far above what an import takes.
    private static let largestTotal = 1 << 30

    /// Checks what later code relies on.
    ///
    /// - Throws: `corrupt` for a name, size or hash that no save writes.
    static func requireSound(_ records: [CarriedFileRecord], file: String) throws(CheckpointError) {
        var names: Set<[UInt8]> = []
        var total = 0
        for record in records {
            // UTF-8, because Swift holds strings for equal that differ only in how their accents are composed.
            guard CarriedFile.isAllowed(record.name), names.insert(Array(record.name.utf8)).inserted else {
                throw CheckpointError(
                    .corrupt, file: file, "a carried file has a name that none may have, or one that another has")
            }
            guard (0...largestTotal - total).contains(record.byteCount), Hash.isWellFormed(record.sha256) else {
                throw CheckpointError(
                    .corrupt, file: file, "the size or hash of the carried file \(record.name) is malformed")
            }
            total += record.byteCount
        }
    }
}
