// Chunking - how an operation on more elements than a C count can hold is cut into several.

/// Cuts runs of elements into windows that a C `int` can count.
///
/// A window is a contiguous range of the whole index space. An operation on segments has one segment per rank,
/// contiguous, in rank order; a window takes the part of every segment that lies inside the window. Most windows touch
/// one or two segments, and the other segments take part with a count of zero. So each window is a valid operation of
/// the same kind on a contiguous buffer. Every rank computes the same windows from the same counts.
struct Chunking {
    /// Number of elements of all segments together.
    let count: Int
    private let segments: [Range<Int>]
    /// Longest window.
    private let limit: Int

    /// Windows of at most `limit` elements over segments of `counts` elements; one segment for operations without
    /// segments.
    init(counts: [Int], limit: Int) {
        precondition(limit > 0 && limit <= Int(Int32.max), "a window of \(limit) elements does not fit a C int")
        segments = MessagePassing.segments(of: counts)
        self.limit = limit
        count = segments.last?.upperBound ?? 0
    }

    /// Number of segments.
    var segmentCount: Int { segments.count }

    /// The windows, in order; none where there is nothing to send.
    var windows: [Range<Int>] {
        stride(from: 0, to: count, by: limit).map { $0..<min($0 + limit, count) }
    }

    /// The part of segment `rank` inside `window`, as positions of the whole index space. Where there is none it is
    /// empty and at one of the window's ends, so that its start is a valid position of the window's buffer.
    func part(of rank: Int, in window: Range<Int>) -> Range<Int> {
        segments[rank].clamped(to: window)
    }

    /// Start of the part of segment `rank` inside `window`, counted from the segment's start; 0 if the part is empty.
    func offset(of rank: Int, in window: Range<Int>) -> Int {
        let part = part(of: rank, in: window)
        return part.isEmpty ? 0 : part.lowerBound - segments[rank].lowerBound
    }

    /// The window's arguments of a C call: the number of elements of each rank, and their start, counted from the
    /// window's start.
    func layout(of window: Range<Int>) -> (counts: [Int32], displacements: [Int32]) {
        let parts = (0..<segmentCount).map { part(of: $0, in: window) }
        return (parts.map { Int32($0.count) }, parts.map { Int32($0.lowerBound - window.lowerBound) })
    }
}
