// NodeSegments - how a buffer is divided among the ranks of a node, and cut into pieces that fit the staging buffer.

/// The segments of a node's ranks: the parts of a buffer that each rank owns, in bytes.
///
/// A segment is the parts of one rank, one after another. A position is a byte of a segment. With one node a segment is
/// one part. With several nodes it has one part per node, and the parts need not be neighbours.
struct NodeSegments: Equatable {
    /// By rank on the node: parts of the buffer, in the order of the nodes; none of them empty.
    let parts: [[Range<Int>]]
    /// By rank on the node: length of the segment, in bytes.
    let lengths: [Int]

    init(parts: [[Range<Int>]]) {
        self.parts = parts.map { $0.filter { !$0.isEmpty } }
        lengths = parts.map { $0.reduce(0) { $0 + $1.count } }
    }

    /// Segments of `counts` elements by rank of the job, joined by rank on the node.
    init(counts: [Int], elementBytes: Int, map: NodeMap) {
        let segments = segments(of: counts.map { $0 * elementBytes })
        self.init(parts: (0..<map.ranksPerNode).map { index in map.slice(index).map { segments[$0] } })
    }

    /// Segments of a buffer of `byteCount` bytes, as equal as whole lines of `lineBytes` allow.
    init(dividing byteCount: Int, lineBytes: Int, ranksPerNode: Int) {
        let lines = (byteCount + lineBytes - 1) / lineBytes
        let bounds = (0...ranksPerNode).map { min(lines * $0 / ranksPerNode * lineBytes, byteCount) }
        self.init(parts: (0..<ranksPerNode).map { [bounds[$0]..<bounds[$0 + 1]] })
    }

    /// Segment `index`, which has one part at most, as a range of the buffer; empty if it has none.
    func range(_ index: Int) -> Range<Int> {
        precondition(parts[index].count <= 1, "a segment of \(parts[index].count) parts")
        return parts[index].first ?? 0..<0
    }

    /// Pieces of at most `pieceBytes` that the longest segment is cut into.
    func rounds(pieceBytes: Int) -> Int {
        ((lengths.max() ?? 0) + pieceBytes - 1) / pieceBytes
    }

    /// The positions of segment `index` that belong to `round`; empty where the segment has ended before.
    func piece(_ round: Int, of index: Int, pieceBytes: Int) -> Range<Int> {
        let length = lengths[index]
        return min(round * pieceBytes, length)..<min((round + 1) * pieceBytes, length)
    }

    /// Calls `body` with each contiguous run of the buffer that `positions` of segment `index` cover.
    @inline(__always)
    func forEachRun(
        of index: Int, in positions: Range<Int>, _ body: (_ offset: Int, _ position: Int, _ count: Int) -> Void
    ) {
        var start = 0
        for part in parts[index] {
            let covered = (start..<(start + part.count)).clamped(to: positions)
            if !covered.isEmpty {
                body(part.lowerBound + covered.lowerBound - start, covered.lowerBound, covered.count)
            }
            start += part.count
            if start >= positions.upperBound { return }
        }
    }
}
