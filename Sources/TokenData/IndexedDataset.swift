// IndexedDataset - Megatron's indexed dataset, version 1: a prepared pair of PREFIX.bin and PREFIX.idx.

internal import InputFiles

/// The tokens of a prepared pair, read from the file at each request.
///
/// `.idx`, little-endian: nine bytes "MMIDIDX\0\0", version (u64, 1), type code (u8), number of sequences S (u64),
/// number of document boundaries D (u64), S lengths (i32), S byte offsets into the `.bin` (i64), D boundaries (i64),
/// and for multimodal data S modes (i8). The files are not trusted: every count is checked against the sizes of the
/// files before it is used.
package struct IndexedDataset: TokenSequence {
    /// How an id is stored. Raw values are the format's codes; 6 and 7 are floating point and hold no ids.
    package enum ElementType: UInt8, CaseIterable, Sendable {
        case uint8 = 1
        case int8 = 2
        case int16 = 3
        case int32 = 4
        case int64 = 5
        case uint16 = 8

        package var size: Int {
            switch self {
            case .uint8, .int8: 1
            case .int16, .uint16: 2
            case .int32: 4
            case .int64: 8
            }
        }

        /// Number of different ids from 0 that the type can hold; nil if it also holds negative ones or too many.
        var idCount: Int? {
            switch self {
            case .uint8: 1 << 8
            case .uint16: 1 << 16
            default: nil
            }
        }
    }

    package static let magic: [UInt8] = Array("MMIDIDX".utf8) + [0, 0]
    private static let headerSize = 34

    let count: Int
    let elementType: ElementType
    private let data: ReadableFile
    /// Nil where nobody asks for documents.
    private let documents: DocumentIndex?
    /// Number of different ids that a read may give; 2^32 until ``requireIds(below:name:)`` sets it.
    private var idLimit = 1 << 32

    /// Opens `prefix`.bin and `prefix`.idx and checks that they belong together.
    ///
    /// - Parameter findsDocuments: whether the `.idx` stays open to give the starts of documents.
    /// - Throws: ``DataError`` naming the file and what is wrong with it; ``InputError`` if it changes meanwhile.
    init(prefix: String, findsDocuments: Bool = false) throws {
        let index = try ReadableFile(path: prefix + ".idx")
        let header = try Header(index)
        count = try Self.tokenCount(index, header)
        elementType = header.elementType
        documents =
            findsDocuments
            ? DocumentIndex(
                index, sequenceCount: header.sequenceCount, boundaryCount: header.boundaryCount,
                tokenSize: elementType.size, offsetsStart: header.offsetsStart, boundariesStart: header.boundariesStart)
            : nil
        let path = prefix + ".bin"
        // Cannot overflow: the index's byte offsets were checked to reach this far.
        let expected = count * elementType.size
        if expected == 0 {
            throw DataError(
                file: prefix + ".idx", problem: "the index lists no tokens", remedy: "prepare the data again")
        }
        data = try ReadableFile(path: path)
        guard data.size == expected else {
            throw DataError(
                file: path, problem: "the file has \(data.size) bytes, its index describes \(expected)",
                remedy: "the two files do not belong together, or one is incomplete; copy or prepare both again")
        }
    }

    /// - Throws: ``InputError`` if the file became shorter, or holds an id that ``requireIds(below:name:)`` did not meet.
    func read(_ range: Range<Int>, into ids: inout OutputSpan<Int32>) throws {
        let start = ids.count
        try readStoredIds(range, into: &ids)
        // Unsigned, a negative id is a large one.
        var largest: UInt32 = 0
        for index in start..<ids.count { largest = max(largest, UInt32(bitPattern: ids[index])) }
        guard largest < idLimit else {
            throw InputError(
                file: data.path,
                problem: "the file was changed while it was in use: it holds id \(Int32(bitPattern: largest)) now",
                remedy: ReadableFile.changeRemedy)
        }
    }

    func documentStarts(in range: Range<Int>) throws -> [Int] { try documents?.starts(in: range) ?? [] }

    func documentCount() throws -> Int? { try documents?.count() }

    private func readStoredIds(_ range: Range<Int>, into ids: inout OutputSpan<Int32>) throws(InputError) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "\(range) is outside 0..<\(count)")
        switch elementType {
        case .uint8: try readStored(UInt8.self, range, into: &ids)
        case .int8: try readStored(Int8.self, range, into: &ids)
        case .int16: try readStored(Int16.self, range, into: &ids)
        case .int32: try readStored(Int32.self, range, into: &ids)
        case .int64: try readStored(Int64.self, range, into: &ids)
        case .uint16: try readStored(UInt16.self, range, into: &ids)
        }
    }

    private func readStored<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type, _ range: Range<Int>, into ids: inout OutputSpan<Int32>
    ) throws(InputError) {
        let values = try data.integers(type, at: range.lowerBound * MemoryLayout<Value>.size, count: range.count)
        // Clamped: an id beyond 32 bits stays outside every vocabulary, so that the check of ids finds it.
        for value in values { ids.append(Int32(clamping: value)) }
    }

    /// Checks every id; reads the whole file unless its type cannot hold an id outside the vocabulary.
    ///
    /// - Parameter name: what errors call the limit.
    /// - Throws: ``DataError`` naming the first id that is not in 0 ..< `vocabularySize`, its position and the file.
    mutating func requireIds(below vocabularySize: Int, name: String) throws {
        defer { idLimit = vocabularySize }
        if let possible = elementType.idCount, possible <= vocabularySize { return }
        for start in stride(from: 0, to: count, by: Self.chunk) {
            let range = start..<min(start + Self.chunk, count)
            let ids = try [Int32](capacity: range.count) { try readStoredIds(range, into: &$0) }
            if let offset = ids.firstIndex(where: { $0 < 0 || Int($0) >= vocabularySize }) {
                throw DataError(
                    file: data.path, problem: "the token at position \(start + offset) has id \(ids[offset])",
                    remedy: "\(name) \(vocabularySize) allows 0 to \(vocabularySize - 1)")
            }
        }
    }

    /// Values of one read where a whole file is read.
    private static let chunk = 1 << 16

    /// The fixed part of the index.
    private struct Header {
        let elementType: ElementType
        let sequenceCount: Int
        let boundaryCount: Int
        /// Byte of the first offset.
        var offsetsStart: Int { IndexedDataset.headerSize + 4 * sequenceCount }
        /// Byte of the first document boundary.
        var boundariesStart: Int { offsetsStart + 8 * sequenceCount }

        init(_ index: ReadableFile) throws {
            func failure(_ problem: String, _ remedy: String = "prepare or copy the data again") -> DataError {
                DataError(file: index.path, problem: problem, remedy: remedy)
            }
            guard index.size >= IndexedDataset.headerSize else {
                throw failure("the index has \(index.size) bytes, fewer than its header")
            }
            guard try index.integers(UInt8.self, at: 0, count: 9) == IndexedDataset.magic else {
                throw failure(
                    "the file does not start as an index does", "allowed: Megatron's indexed dataset (MMIDIDX)")
            }
            let version = try index.integers(UInt64.self, at: 9, count: 1)[0]
            guard version == 1 else { throw failure("the index has version \(version)", "allowed: version 1") }
            let code = try index.integers(UInt8.self, at: 17, count: 1)[0]
            guard let type = ElementType(rawValue: code) else {
                let name = [6: " (float64)", 7: " (float32)"][code] ?? ""
                throw failure(
                    "the tokens have type code \(code)\(name)",
                    "allowed: the integer types, "
                        + ElementType.allCases.map { "\($0.rawValue) (\($0))" }.joined(separator: ", "))
            }
            let counts = try index.integers(UInt64.self, at: 18, count: 2)
            let (sequences, boundaries) = (counts[0], counts[1])
            // 12 bytes per sequence, 8 per boundary, perhaps one more per sequence; compared without overflow.
            let capacity = UInt64(index.size - IndexedDataset.headerSize)
            guard sequences <= capacity / 12, boundaries <= (capacity - 12 * sequences) / 8 else {
                throw failure(
                    "the index claims \(sequences) sequences and \(boundaries) document boundaries, more than its "
                        + "\(index.size) bytes hold")
            }
            let rest = capacity - 12 * sequences - 8 * boundaries
            guard rest == 0 || rest == sequences else {
                throw failure("the index has \(rest) bytes after its \(boundaries) document boundaries")
            }
            elementType = type
            sequenceCount = Int(sequences)
            boundaryCount = Int(boundaries)
        }
    }

    /// Checks lengths, offsets and boundaries, and returns the number of tokens.
    private static func tokenCount(_ index: ReadableFile, _ header: Header) throws -> Int {
        func failure(_ problem: String) -> DataError {
            DataError(file: index.path, problem: problem, remedy: "prepare or copy the data again")
        }
        var bytes = 0
        for start in stride(from: 0, to: header.sequenceCount, by: chunk) {
            let number = min(chunk, header.sequenceCount - start)
            let lengths = try index.integers(Int32.self, at: headerSize + 4 * start, count: number)
            let offsets = try index.integers(Int64.self, at: header.offsetsStart + 8 * start, count: number)
            for (k, (length, offset)) in zip(lengths, offsets).enumerated() {
                let sequence = start + k
                guard length >= 0 else { throw failure("sequence \(sequence) has the length \(length)") }
                // Every writer of the format stores the sequences one after another, in their order.
                guard offset == Int64(bytes) else {
                    throw failure("sequence \(sequence) starts at byte \(offset) of the .bin, not at byte \(bytes)")
                }
                // Checked, although 2^31 * 8 bytes per sequence and the size of the index bound the sum.
                let (sum, overflow) = bytes.addingReportingOverflow(Int(length) * header.elementType.size)
                guard !overflow else {
                    throw failure("the lengths of the sequences add up to more than a file can hold")
                }
                bytes = sum
            }
        }
        var previous = 0
        for start in stride(from: 0, to: header.boundaryCount, by: chunk) {
            let boundaries = try index.integers(
                Int64.self, at: header.boundariesStart + 8 * start, count: min(chunk, header.boundaryCount - start))
            for (k, boundary) in boundaries.enumerated() {
                guard boundary >= previous && boundary <= header.sequenceCount else {
                    throw failure(
                        "document boundary \(start + k) is \(boundary), outside "
                            + "\(previous)...\(header.sequenceCount)")
                }
                previous = Int(boundary)
            }
        }
        return bytes / header.elementType.size
    }
}
