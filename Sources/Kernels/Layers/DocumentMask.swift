// DocumentMask - the documents of each sequence of a batch, for attention and positions that stay inside a document.
//
// Legend: B sequences, T positions.

/// The documents of whole sequences. A query of attention sees the keys of its document up to itself.
///
/// A document that began in an earlier sequence begins at the sequence's first position.
public struct DocumentMask: Sendable {
    /// T.
    public let positions: Int
    /// First position of each token's document, `[B * T]`.
    private let starts_BT: [Int32]
    /// The blocks of queries of each sequence, `[B]`.
    let blocks: [[QueryBlock]]
    /// The largest number of blocks of a sequence.
    let mostBlocks: Int

    /// The documents of B sequences; nil where each sequence is one document, which needs no mask.
    ///
    /// - Parameters:
    ///   - startsDocument: whether the token behind each token is the first of a document, `[B * T]`.
    ///   - positions: T.
    public init?(startsDocument: [Bool], positions: Int) {
        precondition(
            positions > 0 && startsDocument.count % positions == 0,
            "\(startsDocument.count) starts of documents are not whole sequences of \(positions)")
        self.positions = positions
        var starts_BT: [Int32] = []
        var blocks: [[QueryBlock]] = []
        starts_BT.reserveCapacity(startsDocument.count)
        for sequence in stride(from: 0, to: startsDocument.count, by: positions) {
            let later = (1..<positions).filter { startsDocument[sequence + $0 - 1] }
            let documents = zip([0] + later, later + [positions]).map { $0..<$1 }
            for document in documents {
                starts_BT.append(contentsOf: repeatElement(Int32(document.lowerBound), count: document.count))
            }
            blocks.append(QueryBlock.blocks(of: documents))
        }
        if starts_BT.allSatisfy({ $0 == 0 }) { return nil }
        self.starts_BT = starts_BT
        self.blocks = blocks
        mostBlocks = blocks.map(\.count).max() ?? 0
    }

    /// B.
    public var sequences: Int { blocks.count }

    /// First position of the document of `token`, an index of `[B * T]`.
    public func start(ofDocumentWith token: Int) -> Int { Int(starts_BT[token]) }
}
