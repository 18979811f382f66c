// DocumentIndex - the document boundaries of an open .idx.

internal import InputFiles

/// Where the documents of a prepared pair begin, read from its `.idx` at each request.
///
/// Why: the boundaries of a large pair would take gigabytes on each rank.
struct DocumentIndex: Sendable {
    private let index: ReadableFile
    /// S.
    private let sequenceCount: Int
    private let boundaryCount: Int
    /// Bytes of a token in the `.bin`.
    private let tokenSize: Int
    private let offsetsStart: Int
    private let boundariesStart: Int

    /// - Parameters:
    ///   - index: the `.idx`, whose fields were checked.
    ///   - offsetsStart: byte of the S offsets (i64).
    ///   - boundariesStart: byte of the boundaries (i64).
    init(
        _ index: ReadableFile, sequenceCount: Int, boundaryCount: Int, tokenSize: Int, offsetsStart: Int,
        boundariesStart: Int
    ) {
        self.index = index
        self.sequenceCount = sequenceCount
        self.boundaryCount = boundaryCount
        self.tokenSize = tokenSize
        self.offsetsStart = offsetsStart
        self.boundariesStart = boundariesStart
    }

    /// Number of documents, empty ones included. Tokens before the first boundary are a document too.
    func count() throws -> Int {
        let inside = try firstIndex(in: 0..<boundaryCount, of: boundaries, atLeast: sequenceCount)
        let startsAtBoundary = try inside > 0 && boundaries(0..<1)[0] == 0
        return inside + (startsAtBoundary ? 0 : 1)
    }

    /// The positions in `range` at which a document begins, in order.
    func starts(in range: Range<Int>) throws -> [Int] {
        // Sequences that begin in the range, then the boundaries that name one of them.
        let first = try firstIndex(in: 0..<sequenceCount, of: positions, atLeast: range.lowerBound)
        let end = try firstIndex(in: first..<sequenceCount, of: positions, atLeast: range.upperBound)
        let sequenceStarts = try positions(first..<end)
        let firstBoundary = try firstIndex(in: 0..<boundaryCount, of: boundaries, atLeast: first)
        let endBoundary = try firstIndex(in: firstBoundary..<boundaryCount, of: boundaries, atLeast: end)
        var starts: [Int] = []
        for boundary in try boundaries(firstBoundary..<endBoundary) {
            guard boundary >= first, boundary < end else { throw changed("document boundary", boundary) }
            let position = sequenceStarts[boundary - first]
            guard range.contains(position), position >= starts.last ?? 0 else {
                throw changed("sequence start", position)
            }
            // Documents without tokens begin where the next one does.
            if position != starts.last { starts.append(position) }
        }
        return starts
    }

    /// The positions at which `sequences` begin.
    private func positions(_ sequences: Range<Int>) throws -> [Int] {
        try index.integers(Int64.self, at: offsetsStart + 8 * sequences.lowerBound, count: sequences.count)
            .map { Int($0) / tokenSize }
    }

    /// The sequences with which the documents of `range` begin.
    private func boundaries(_ range: Range<Int>) throws -> [Int] {
        try index.integers(Int64.self, at: boundariesStart + 8 * range.lowerBound, count: range.count).map { Int($0) }
    }

    /// The first index of `range` whose value is `least` or more, by bisection of rising values.
    ///
    /// - Returns: the end of `range` if there is none.
    private func firstIndex(
        in range: Range<Int>, of values: (Range<Int>) throws -> [Int], atLeast least: Int
    ) throws -> Int {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high {
            let middle = low + (high - low) / 2
            if try values(middle..<(middle + 1))[0] >= least { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private func changed(_ name: String, _ value: Int) -> InputError {
        InputError(
            file: index.path, problem: "the file was changed while it was in use: it holds the \(name) \(value) now",
            remedy: ReadableFile.changeRemedy)
    }
}
