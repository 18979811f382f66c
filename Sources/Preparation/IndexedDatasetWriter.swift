// IndexedDatasetWriter - writes Megatron's indexed dataset, version 1.

internal import TokenData

/// Writes a .bin and its .idx (see ``IndexedDataset`` for their layout) in bounded memory.
///
/// A document is one sequence. A document longer than an i32 length is several sequences between two document
/// boundaries, as the format has it.
final class IndexedDatasetWriter {
    /// The element type for a vocabulary, by Megatron's rule: two bytes below 65,500 ids.
    static func elementType(vocabularySize: Int) -> IndexedDataset.ElementType {
        vocabularySize < 65_500 ? .uint16 : .int32
    }

    /// The bytes of `ids` in a .bin. Traps on an id out of range, which only a defective tokenizer gives.
    static func bytes(of ids: [Int32], as type: IndexedDataset.ElementType, vocabularySize: Int) -> [UInt8] {
        precondition(
            ids.allSatisfy { $0 >= 0 && Int($0) < vocabularySize },
            "the tokenizer gave an id outside 0..<\(vocabularySize)")
        switch type {
        case .uint16: return littleEndianBytes(ids.map { UInt16(truncatingIfNeeded: $0) })
        case .int32: return littleEndianBytes(ids)
        default: preconditionFailure("\(type) is not written")
        }
    }

    private let data: OutputFile
    private let index: OutputFile
    private let elementType: IndexedDataset.ElementType
    private let longest: Int
    /// Tokens of the present document that belong to no sequence yet.
    private var pending = 0
    private(set) var documents = 0
    private(set) var tokens = 0
    private var sequences = 0
    /// Indexes of sequences that continue a document; very few.
    private var continuations: [Int] = []

    /// Number of values written at a time.
    private static let chunk = 1 << 16
    private static let headerSize = 34

    /// - Parameters:
    /// - longest: longest sequence in tokens; tests set a small one.
    init(
        data: String, index: String, elementType: IndexedDataset.ElementType, longest: Int = Int(Int32.max)
    ) throws(OutputError) {
        self.data = try OutputFile(path: data)
        self.index = try OutputFile(path: index)
        self.elementType = elementType
        self.longest = longest
        // The counts are known when the last document has ended.
        try self.index.write([UInt8](repeating: 0, count: Self.headerSize))
    }

    /// Adds tokens to the present document, as bytes of ``bytes(of:as:vocabularySize:)``.
    func append(_ bytes: [UInt8]) throws(OutputError) {
        precondition(bytes.count % elementType.size == 0, "part of a token")
        tokens += bytes.count / elementType.size
        try data.write(bytes)
    }

    /// Assigns the next `count` tokens to the present document.
    func extendDocument(by count: Int) throws(OutputError) {
        pending += count
        while pending > longest { try endSequence(longest) }
    }

    /// Ends the present document, which has at least one token.
    func endDocument() throws(OutputError) {
        precondition(pending > 0, "a document has at least its end token")
        try endSequence(pending)
        documents += 1
    }

    private func endSequence(_ count: Int) throws(OutputError) {
        try index.write(littleEndianBytes([Int32(count)]))
        pending -= count
        sequences += 1
        if pending > 0 { continuations.append(sequences) }
    }

    /// Completes both files.
    ///
    /// - Returns: sizes of the .bin and the .idx in bytes.
    func finish() throws(OutputError) -> (data: Int, index: Int) {
        precondition(pending == 0, "a document without an end")
        var (offset, expected) = (0, 0)
        for start in stride(from: 0, to: sequences, by: Self.chunk) {
            let count = min(Self.chunk, sequences - start)
            let lengths = try index.bytes(at: Self.headerSize + 4 * start, count: 4 * count)
            let offsets = (0..<count).map { sequence -> Int64 in
                let length = (0..<4).reduce(0) { $0 | Int(lengths[4 * sequence + $1]) << (8 * $1) }
                defer { offset += length * elementType.size }
                expected += length
                return Int64(offset)
            }
            try index.write(littleEndianBytes(offsets))
        }
        precondition(expected == tokens, "\(tokens) tokens in sequences of \(expected)")
        let inner = Set(continuations)
        for start in stride(from: 0, through: sequences, by: Self.chunk) {
            let boundaries = (start...min(start + Self.chunk - 1, sequences)).filter { !inner.contains($0) }
            try index.write(littleEndianBytes(boundaries.map { Int64($0) }))
        }
        let counts = littleEndianBytes([UInt64(sequences), UInt64(documents + 1)])
        try index.overwrite(
            IndexedDataset.magic + littleEndianBytes([UInt64(1)]) + [elementType.rawValue] + counts, at: 0)
        try data.finish(synced: true)
        try index.finish(synced: true)
        return (data.count, index.count)
    }
}
