// SparseReductionTests - reduce-scatters whose messages leave zeros out: the same bits as with them, in fewer bytes.

import MessagePassing
import Tensors
import TestSupport
import XCTest

final class SparseReductionTests: RankTestCase {
    override func tearDownWithError() throws {
        try ranks.regroup(NodeSettings())
        try super.tearDownWithError()
    }

    /// Runs `body` with messages between all ranks and, of four, between two pretended nodes.
    private func withMessages(_ body: (String) throws -> Void) throws {
        var alone = NodeSettings()
        alone.freeBytes = 0
        try ranks.regroup(alone)
        try body("messages")
        guard ranks.size == 4 else { return }
        var nodes = NodeSettings()
        nodes.placement = .blocks(of: 2)
        try ranks.regroup(nodes)
        XCTAssertEqual(ranks.nodeShape?.nodes, 2)
        try body("two nodes")
    }

    /// Rows of 300 floats, of which this rank has a few: values of many magnitudes, whose sum depends on the order, and a
    /// negative zero.
    private func rows(_ count: Int) -> [Float] {
        var values = [Float](repeating: 0, count: count)
        var random = SeededGenerator(seed: UInt64(ranks.rank))
        for row in stride(from: 0, to: count - 300, by: 300) where Int.random(in: 0..<40, using: &random) == 0 {
            for index in row..<(row + 300) {
                values[index] =
                    Float.random(in: -1...1, using: &random) * Float(1 << Int.random(in: 0..<20, using: &random))
            }
        }
        // On all ranks, in a block of which nothing else is sent: the sum is negative as well.
        for index in 256..<512 { values[index] = 0 }
        values[300] = -0.0
        return values
    }

    /// Uneven, and one of them empty.
    private func counts(_ total: Int) -> [Int] {
        var counts = [Int](repeating: total / ranks.size / 64 * 64, count: ranks.size)
        if ranks.size > 2 {
            counts[0] += counts[1]
            counts[1] = 0
        }
        counts[ranks.size - 1] += total - counts.reduce(0, +)
        return counts
    }

    private func bits(_ slice: FloatSlice) -> [UInt32] { slice.array.map(\.bitPattern) }

    func testTheSumHasTheSameBitsInFewerBytes() throws {
        // On two ranks of more windows than are under way at a time.
        let total = ranks.size == 2 ? 4_500_001 : 700_001
        let counts = counts(total)
        let values = rows(total)
        try withMessages { path in
            for limit in [ranks.chunkLimit, 1000] {
                let usual = ranks.chunkLimit
                ranks.chunkLimit = limit
                defer { ranks.chunkLimit = usual }
                func reduced(isSparse: Bool) throws -> (bits: [UInt32], sent: Int) {
                    let target = Arena(count: counts[ranks.rank]).all
                    target.fill(.nan)
                    let before = ranks.sentReductionBytes
                    try ranks.startReduceScatterSum(
                        FloatSlice(values), counts: counts, into: target, isSparse: isSparse
                    ).wait()
                    return (bits(target), ranks.sentReductionBytes - before)
                }
                let full = try reduced(isSparse: false)
                let sparse = try reduced(isSparse: true)
                XCTAssertTrue(full.bits == sparse.bits, "\(path), messages of \(limit)")
                if ranks.rank == 0 { XCTAssertEqual(sparse.bits[300], (-Float.zero).bitPattern, path) }
                if ranks.nodeShape == nil {
                    XCTAssertEqual(full.sent, 4 * (total - counts[ranks.rank]), "\(path), messages of \(limit)")
                }
                // One row in forty of each rank; in blocks of 256 floats at most three times as much, and two ranks' on a node.
                // A rank whose only partner owns nothing sends nothing.
                if full.sent > 0 {
                    XCTAssertLessThan(sparse.sent, full.sent / 5, "\(path), messages of \(limit)")
                    XCTAssertGreaterThan(sparse.sent, full.sent / 100, "\(path), messages of \(limit)")
                }
            }
        }
    }

    func testIntegersAndLentThreads() throws {
        let total = 300_000
        let counts = counts(total)
        func value(_ rank: Int, _ index: Int) -> Int64 { index / 500 % 20 == rank ? (1 << 55) - Int64(index) : 0 }
        let own = counts[..<ranks.rank].reduce(0, +)..<counts[...ranks.rank].reduce(0, +)
        let expected = own.map { index in (0..<ranks.size).reduce(Int64(0)) { $0 + value($1, index) } }
        try withMessages { path in
            let buffer = Int64Slice(count: total)
            buffer.copy(from: (0..<total).map { value(ranks.rank, $0) })
            let target = Int64Slice(count: counts[ranks.rank])
            var tasks = 0
            try ranks.startReduceScatterSum(buffer, counts: counts, into: target, isSparse: true) { count, body in
                tasks += count
                // Any order will do.
                for task in (0..<count).reversed() { body(task) }
            }.wait()
            XCTAssertTrue(target.array == expected, path)
            // With more ranks a window is too short to be shared out.
            if ranks.nodeShape == nil, ranks.size <= 4 { XCTAssertEqual(tasks > 0, !own.isEmpty, path) }
        }
    }

    /// Some in flight at a time, sparse and full, so that their messages and rooms could be mistaken for one another.
    func testSparseAndFullOnesInFlight() throws {
        let total = 100_000
        let counts = counts(total)
        let own = counts[..<ranks.rank].reduce(0, +)..<counts[...ranks.rank].reduce(0, +)
        try withMessages { path in
            var requests = RequestSet()
            var checks: [() -> Bool] = []
            for salt in 0..<6 {
                func value(_ rank: Int, _ index: Int) -> Float {
                    salt % 2 == 1 || index / 700 % 9 == rank ? Float((index + salt + rank) % 99) : 0
                }
                let buffer = FloatSlice((0..<total).map { value(ranks.rank, $0) })
                let target = Arena(count: own.count).all
                requests.add(
                    try ranks.startReduceScatterSum(buffer, counts: counts, into: target, isSparse: salt % 2 == 0))
                let expected = own.map { index in (0..<ranks.size).reduce(Float(0)) { $0 + value($1, index) } }
                checks.append { target.array == expected }
            }
            try requests.waitAll()
            for (salt, check) in checks.enumerated() { XCTAssertTrue(check(), "\(path), reduction \(salt)") }
        }
    }
}
