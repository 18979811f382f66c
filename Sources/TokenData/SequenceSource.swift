// SequenceSource - the N tokens of a domain as sequences of T + 1 ids.

internal import InputFiles
public import Tensors

/// One domain cut into sequences of T + 1 tokens: inputs `[sT, sT + T)`, targets `[sT + 1, sT + T + 1)`.
public protocol SequenceSource: Sendable {
    /// Number of sequences; `Int.max` if the source has no end.
    var sequenceCount: Int { get }
    /// N; `Int.max` if the source has no end.
    var tokenCount: Int { get }
    /// Identity of the tokens: their SHA-256 in hex, or the name of their generator. The first use may read all tokens.
    ///
    /// - Throws: ``InputError`` if a file failed or changed meanwhile.
    var fingerprint: String { get throws }

    /// Number of documents; nil where the source does not know their borders.
    var documentCount: Int? { get throws }
    /// Identity of the documents' borders: their SHA-256 in hex; nil where the source does not know them.
    ///
    /// - Throws: ``InputError`` if a file failed or changed meanwhile.
    var documentFingerprint: String? { get throws }

    /// The T + 1 ids of sequence `s`, 0 ..< ``sequenceCount``.
    ///
    /// - Throws: ``InputError`` if a file failed or changed meanwhile.
    func sequence(_ s: Int) throws -> [Int32]

    /// Appends the T + 1 ids of sequence `s`, 0 ..< ``sequenceCount``, to a batch of T.
    ///
    /// A source that knows its documents says where they start; for others a sequence is one document.
    ///
    /// - Throws: ``InputError`` if a file failed or changed meanwhile; the batch is then as it was.
    func append(sequence s: Int, to batch: inout TokenBatch) throws

    /// Number of ``piece(_:)``s.
    var pieceCount: Int { get }

    /// Piece `p` of all tokens, 0 ..< ``pieceCount``. Pieces hold each token once, for counting.
    ///
    /// - Throws: ``InputError`` if a file failed or changed meanwhile.
    func piece(_ p: Int) throws -> [Int32]
}

extension SequenceSource {
    /// Sequences that stand for a source without end.
    private static var sampleSize: Int { 1024 }

    /// Number of sequences: each is a piece.
    public var pieceCount: Int { sequenceCount == .max ? Self.sampleSize : sequenceCount }

    public func piece(_ p: Int) throws -> [Int32] { try sequence(p) }

    public func append(sequence s: Int, to batch: inout TokenBatch) throws { batch.append(try sequence(s)) }

    public var documentCount: Int? { nil }
    public var documentFingerprint: String? { nil }
}

/// Random access to a run of token ids.
protocol TokenSequence: Sendable {
    var count: Int { get }

    /// Appends the ids at `range`, which lies in 0 ..< ``count``, to a span with room for them.
    func read(_ range: Range<Int>, into ids: inout OutputSpan<Int32>) throws

    /// The positions in `range`, all above 0, at which a document begins, in order; none where documents are unknown.
    ///
    /// The end token belongs to the document that it ends.
    func documentStarts(in range: Range<Int>) throws -> [Int]

    /// Number of documents; nil where they are unknown.
    func documentCount() throws -> Int?
}

extension TokenSequence {
    /// The ids at `range`.
    func tokens(in range: Range<Int>) throws -> [Int32] {
        try [Int32](capacity: range.count) { try read(range, into: &$0) }
    }
}

/// Tokens that exist, in memory or in a file, cut into sequences.
public struct TokenSource: SequenceSource {
    public let sequenceCount: Int
    private let tokens: any TokenSequence
    private let sequenceLength: Int
    private let hash: TokenHash
    private let documentHash: DocumentHash

    /// - Parameter name: the sequence length's key in errors.
    /// - Throws: ``DataError`` if the tokens are fewer than one sequence of T + 1.
    init(
        _ tokens: any TokenSequence, sequenceLength: Int, file: String, name: String = "data.sequence_length"
    ) throws {
        precondition(sequenceLength > 0, "a sequence has at least one target")
        guard tokens.count > sequenceLength else {
            throw DataError(
                file: file,
                problem: "the file holds \(tokens.count) tokens, no whole sequence",
                remedy: "\(name) \(sequenceLength) needs at least \(sequenceLength + 1)")
        }
        self.tokens = tokens
        self.sequenceLength = sequenceLength
        sequenceCount = (tokens.count - 1) / sequenceLength
        hash = TokenHash(tokens)
        documentHash = DocumentHash(tokens)
    }

    public var tokenCount: Int { tokens.count }
    public var fingerprint: String { get throws { try hash.hexadecimal } }
    public var documentCount: Int? { get throws { try tokens.documentCount() } }
    public var documentFingerprint: String? { get throws { try documentHash.hexadecimal } }

    /// Tokens of a piece. Why so many: a request then costs little beside its tokens.
    private static let pieceSize = 1 << 16

    public var pieceCount: Int { (tokens.count + Self.pieceSize - 1) / Self.pieceSize }

    /// The ids of piece `p`, including tokens that no sequence has as a target: the first one, and those behind the last
    /// sequence.
    public func piece(_ p: Int) throws -> [Int32] {
        try tokens.tokens(in: (p * Self.pieceSize)..<min((p + 1) * Self.pieceSize, tokens.count))
    }

    public func sequence(_ s: Int) throws -> [Int32] { try tokens.tokens(in: range(ofSequence: s)) }

    public func append(sequence s: Int, to batch: inout TokenBatch) throws {
        let range = range(ofSequence: s)
        let starts = try tokens.documentStarts(in: (range.lowerBound + 1)..<range.upperBound)
        try batch.append(documentStarts: starts.map { $0 - range.lowerBound - 1 }) { try tokens.read(range, into: &$0) }
    }

    private func range(ofSequence s: Int) -> Range<Int> {
        precondition(s >= 0 && s < sequenceCount, "sequence \(s) of \(sequenceCount)")
        return (s * sequenceLength)..<(s * sequenceLength + sequenceLength + 1)
    }
}
