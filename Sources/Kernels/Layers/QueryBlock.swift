// QueryBlock - neighbouring queries of a sequence, which attention computes together, and the keys that they see.

/// Neighbouring queries of a sequence, and the keys from the first to the last one that they see.
struct QueryBlock: Sendable, Equatable {
    /// Most queries per block. Why: a block's scores stay in the second-level cache, and keys behind the block are
    /// skipped.
    static let mostQueries = 64

    let queries: Range<Int>
    /// First position that a query sees.
    let firstKey: Int

    /// From the first key of the first query to the last query, which is also the last key.
    var keys: Range<Int> { firstKey..<queries.upperBound }

    /// The blocks of a sequence of `documents`, consecutive ranges of positions from 0.
    ///
    /// A document of more than ``mostQueries`` tokens has blocks of its own, from its start. Shorter documents share a
    /// block while they fit. Why: matmuls of a few rows are slow.
    static func blocks(of documents: [Range<Int>]) -> [QueryBlock] {
        var blocks: [QueryBlock] = []
        // The short documents that wait for a block.
        var waiting = 0..<0
        func closeBlock() {
            if !waiting.isEmpty { blocks.append(QueryBlock(queries: waiting, firstKey: waiting.lowerBound)) }
        }
        for document in documents {
            if document.upperBound - waiting.lowerBound <= mostQueries && !waiting.isEmpty {
                waiting = waiting.lowerBound..<document.upperBound
                continue
            }
            closeBlock()
            waiting = 0..<0
            guard document.count > mostQueries else {
                waiting = document
                continue
            }
            for first in stride(from: document.lowerBound, to: document.upperBound, by: mostQueries) {
                let queries = first..<min(first + mostQueries, document.upperBound)
                blocks.append(QueryBlock(queries: queries, firstKey: document.lowerBound))
            }
        }
        closeBlock()
        return blocks
    }
}
