// FloatTests - reductions and gathers of float buffers, whole and in chunks. All values are small integers, of which every
// sum is exact in 32-bit floats, so that every comparison is one of equality.

import MessagePassing
import Tensors
import XCTest

/// By messages, which alone are cut into chunks; ``NodeTests`` has the way through shared memory.
final class FloatTests: RankTestCase {
    override func setUpWithError() throws {
        try super.setUpWithError()
        var settings = NodeSettings()
        settings.freeBytes = 0
        try ranks.regroup(settings)
    }

    override func tearDownWithError() throws {
        try ranks.regroup(NodeSettings())
        try super.tearDownWithError()
    }

    /// Element i of rank r is i + r + 1.
    private func ramp(_ count: Int) -> FloatSlice {
        FloatSlice((0..<count).map { Float($0 + ranks.rank + 1) })
    }

    /// The sum of all ranks' ramps.
    private func rampSum(_ range: Range<Int>) -> [Float] {
        range.map { Float(ranks.size * $0 + ranks.size * (ranks.size + 1) / 2) }
    }

    private func segment(of rank: Int, _ counts: [Int]) -> Range<Int> {
        let start = counts[..<rank].reduce(0, +)
        return start..<(start + counts[rank])
    }

    func testBroadcast() throws {
        try withChunkLimits { limit in
            for root in 0..<ranks.size {
                for count in [0, 1, 20] {
                    let whole = FloatSlice([Float](repeating: -1, count: count + 2))
                    let slice = whole[1..<(count + 1)]
                    slice.copy(from: ramp(count))
                    try ranks.broadcast(slice, root: root)
                    let expected = [-1] + (0..<count).map { Float($0 + root + 1) } + [-1]
                    XCTAssertEqual(whole.array, expected, "root \(root), \(count) floats, chunks of \(limit)")
                }
            }
        }
    }

    func testAllReduceSum() throws {
        try withChunkLimits { limit in
            for count in [0, 1, 2, 7, 50] {
                let buffer = ramp(count)
                try ranks.startAllReduceSum(buffer).wait()
                XCTAssertEqual(buffer.array, rampSum(0..<count), "\(count) floats, chunks of \(limit)")
            }
        }
    }

    func testReduceScatterSum() throws {
        try withChunkLimits { limit in
            for counts in segmentCounts(for: ranks.size) {
                let buffer = ramp(counts.reduce(0, +))
                let before = buffer.array
                let whole = FloatSlice([Float](repeating: -1, count: counts[ranks.rank] + 2))
                let target = whole[1..<(counts[ranks.rank] + 1)]
                try ranks.startReduceScatterSum(buffer, counts: counts, into: target).wait()
                let expected = [-1] + rampSum(segment(of: ranks.rank, counts)) + [-1]
                XCTAssertEqual(whole.array, expected, "\(counts), chunks of \(limit)")
                XCTAssertEqual(buffer.array, before, "\(counts), chunks of \(limit)")
            }
        }
    }

    /// Beyond 2^53, where doubles are no longer exact.
    func testIntegerSums() throws {
        func value(_ rank: Int, _ index: Int) -> Int64 { (1 << 55) + Int64(index * 3 - rank) }
        func sum(_ range: Range<Int>) -> [Int64] {
            range.map { index in (0..<ranks.size).reduce(Int64(0)) { $0 + value($1, index) } }
        }
        try withChunkLimits { limit in
            for counts in segmentCounts(for: ranks.size) {
                let count = counts.reduce(0, +)
                let buffer = Int64Slice(count: count)
                buffer.copy(from: (0..<count).map { value(ranks.rank, $0) })
                let target = Int64Slice(count: counts[ranks.rank])
                try ranks.startReduceScatterSum(buffer, counts: counts, into: target).wait()
                XCTAssertEqual(target.array, sum(segment(of: ranks.rank, counts)), "\(counts), chunks of \(limit)")
                try ranks.startAllReduceSum(buffer).wait()
                XCTAssertEqual(buffer.array, sum(0..<count), "\(counts), chunks of \(limit)")
            }
        }
    }

    func testAllGather() throws {
        try withChunkLimits { limit in
            for counts in segmentCounts(for: ranks.size) {
                let count = counts.reduce(0, +)
                let buffer = FloatSlice([Float](repeating: -1, count: count))
                for index in segment(of: ranks.rank, counts) { buffer[index] = Float(100 * ranks.rank + index) }
                try ranks.startAllGather(inPlace: buffer, counts: counts).wait()
                let expected = (0..<ranks.size).flatMap { rank in
                    segment(of: rank, counts).map { Float(100 * rank + $0) }
                }
                XCTAssertEqual(buffer.array, expected, "\(counts), chunks of \(limit)")
            }
        }
    }

    /// More than may be under way at a time, so that some wait for others; no rank depends on another's order of waiting.
    func testManyGathersAtOnce() throws {
        try withChunkLimits { limit in
            let counts = [Int](repeating: 37, count: ranks.size)
            let buffers = (0..<9).map { number in
                let buffer = FloatSlice([Float](repeating: -1, count: 37 * ranks.size))
                for index in segment(of: ranks.rank, counts) { buffer[index] = Float(1000 * number + index) }
                return buffer
            }
            var requests = try buffers.map { buffer in
                var set = RequestSet()
                set.add(try ranks.startAllGather(inPlace: buffer, counts: counts))
                return Waited(requests: set)
            }
            if ranks.rank % 2 == 1 { requests.reverse() }
            for request in requests { try request.requests.wait() }
            for (number, buffer) in buffers.enumerated() {
                XCTAssertEqual(
                    buffer.array, (0..<buffer.count).map { Float(1000 * number + $0) },
                    "gather \(number), chunks of \(limit)")
            }
        }
    }

    func testLargeBuffers() throws {
        // Several megabytes: other protocols of the library than the small ones above.
        let count = 1 << 20
        // A ramp that starts over, so that the sums of any number of ranks stay below 2^24, where floats are exact.
        let values = (0..<count).map { Float($0 % 1009 + ranks.rank + 1) }
        let sums = rampSum(0..<1009)
        let expected = (0..<count).map { sums[$0 % 1009] }
        var counts = [Int](repeating: count / ranks.size, count: ranks.size)
        counts[0] += count - counts.reduce(0, +)
        let reduced = FloatSlice(values)
        try ranks.startAllReduceSum(reduced).wait()
        let target = Arena(count: counts[ranks.rank]).all
        try ranks.startReduceScatterSum(FloatSlice(values), counts: counts, into: target).wait()
        let gathered = Arena(count: count).all
        gathered[segment(of: ranks.rank, counts)].copy(from: target)
        try ranks.startAllGather(inPlace: gathered, counts: counts).wait()
        XCTAssertTrue(reduced.array == expected)
        XCTAssertTrue(gathered.array == expected)
    }

    func testWrongCountsAreRefused() throws {
        let counts = [Int](repeating: 2, count: ranks.size)
        let buffer = ramp(2 * ranks.size)
        let target = Arena(count: 2).all
        func reduceScatter(_ buffer: FloatSlice, _ counts: [Int], _ target: FloatSlice) throws -> MPIError.Code? {
            try code { try ranks.startReduceScatterSum(buffer, counts: counts, into: target).wait() }
        }
        XCTAssertEqual(try reduceScatter(buffer[1..<buffer.count], counts, target), .count)
        XCTAssertEqual(try reduceScatter(buffer, counts + [0], target), .count)
        XCTAssertEqual(try reduceScatter(buffer, counts, Arena(count: 1).all), .count)
        XCTAssertEqual(try reduceScatter(buffer, counts, Arena(count: 3).all), .count)
        XCTAssertEqual(try reduceScatter(buffer, counts, buffer[0..<2]), .buffer)
        XCTAssertEqual(
            try code { try ranks.startAllGather(inPlace: buffer[1..<buffer.count], counts: counts).wait() }, .count)
        XCTAssertEqual(
            try code { try ranks.startAllGather(inPlace: buffer, counts: Array(counts.dropLast())).wait() }, .count)
        XCTAssertEqual(try code { try ranks.broadcast(buffer, root: ranks.size) }, .root)
        // The refusals reached no other rank: the next operation is matched as usual.
        try ranks.startAllReduceSum(buffer).wait()
        XCTAssertEqual(buffer.array, rampSum(0..<(2 * ranks.size)))
    }
}

/// A set of requests in an array.
private final class Waited {
    var requests: RequestSet
    init(requests: consuming RequestSet) { self.requests = requests }
}
