// Segments - a buffer's parts by rank.

/// The ranges of segments of `counts` elements that lie one behind the other, from 0 on.
func segments(of counts: [Int]) -> [Range<Int>] {
    var end = 0
    return counts.map { count in
        defer { end += count }
        return end..<(end + count)
    }
}
