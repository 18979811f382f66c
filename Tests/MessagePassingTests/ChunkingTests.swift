// ChunkingTests - the windows that long operations are cut into.

import Testing

@testable import MessagePassing

@Suite struct ChunkingTests {
    @Test func windowsOfOneRun() {
        #expect(Chunking(counts: [10], limit: 4).windows == [0..<4, 4..<8, 8..<10])
        #expect(Chunking(counts: [8], limit: 4).windows == [0..<4, 4..<8])
        #expect(Chunking(counts: [3], limit: 4).windows == [0..<3])
        #expect(Chunking(counts: [0], limit: 4).windows.isEmpty)
        #expect(Chunking(counts: [], limit: 4).windows.isEmpty)
    }

    @Test func windowsBeyondACInt() {
        let half = 1 << 30
        let chunking = Chunking(counts: [3 * half, 0, 2 * half + 5], limit: half)
        #expect(chunking.count == 5 * half + 5)
        #expect(chunking.windows.count == 6)
        #expect(chunking.windows.last == (5 * half)..<(5 * half + 5))
        let layout = chunking.layout(of: chunking.windows[3])
        #expect(layout.counts == [0, 0, Int32(half)])
        #expect(layout.displacements == [0, 0, 0])
    }

    @Test func segmentsInsideAWindow() {
        let chunking = Chunking(counts: [3, 0, 5, 1], limit: 4)
        #expect(chunking.windows == [0..<4, 4..<8, 8..<9])
        let first = chunking.layout(of: 0..<4)
        #expect(first.counts == [3, 0, 1, 0])
        #expect(first.displacements == [0, 3, 3, 4])
        let second = chunking.layout(of: 4..<8)
        #expect(second.counts == [0, 0, 4, 0])
        #expect(second.displacements == [0, 0, 0, 4])
        #expect(chunking.layout(of: 8..<9).counts == [0, 0, 0, 1])
        #expect(chunking.windows.map { chunking.offset(of: 2, in: $0) } == [0, 1, 0])
    }

    /// Every element of every segment is in exactly one window, in order, and the window's layout says where.
    @Test(arguments: [[0], [1], [7], [2, 3], [0, 4, 0], [5, 0, 0, 1], [1, 1, 1, 1], [0, 0], [9, 2, 0, 6, 3]])
    func windowsCoverEverySegmentOnce(counts: [Int]) {
        for limit in 1...25 {
            let chunking = Chunking(counts: counts, limit: limit)
            var found = counts.map { _ in [Int]() }
            var start = 0
            for window in chunking.windows {
                #expect(window.lowerBound == start && !window.isEmpty && window.count <= limit)
                start = window.upperBound
                let layout = chunking.layout(of: window)
                #expect(layout.counts.reduce(0, +) == Int32(window.count))
                for rank in counts.indices where layout.counts[rank] > 0 {
                    #expect(chunking.offset(of: rank, in: window) == found[rank].count)
                    for index in 0..<Int(layout.counts[rank]) {
                        found[rank].append(window.lowerBound + Int(layout.displacements[rank]) + index)
                    }
                }
                for rank in counts.indices {
                    #expect((0...window.count).contains(Int(layout.displacements[rank])))
                }
            }
            var next = 0
            for rank in counts.indices {
                #expect(found[rank] == Array(next..<(next + counts[rank])))
                next += counts[rank]
            }
            #expect(start == chunking.count && next == chunking.count)
        }
    }
}
