// ScalarTests - a few numbers of every rank.

import MessagePassing
import XCTest

final class ScalarTests: RankTestCase {
    func testAllGatherConcatenatesInRankOrder() throws {
        try withChunkLimits { limit in
            for counts in segmentCounts(for: ranks.size) {
                let start = counts[..<ranks.rank].reduce(0, +)
                // The index in the whole, over three: values that need all bits of a double.
                let own = (0..<counts[ranks.rank]).map { Double(start + $0) / 3 }
                let all = try ranks.allGather(own, counts: counts)
                let expected = (0..<counts.reduce(0, +)).map { Double($0) / 3 }
                XCTAssertEqual(all, expected, "\(counts), chunks of \(limit)")
            }
        }
    }

    func testSumIsTakenInRankOrder() throws {
        let unit = 0x1p-53
        // 1 + unit rounds to 1, so 1, unit, unit, ... added in this order stay 1; in any other order they do not.
        let own = [ranks.rank == 0 ? 1 : unit, Double(ranks.rank), ranks.rank == ranks.size - 1 ? 1 : unit]
        let sum = try ranks.sumInRankOrder(own)
        XCTAssertEqual(sum[0], 1)
        XCTAssertEqual(sum[1], Double(ranks.size * (ranks.size - 1) / 2))
        var reversed = 0.0
        for rank in 0..<ranks.size { reversed += rank == ranks.size - 1 ? 1 : unit }
        XCTAssertEqual(sum[2], reversed)
        // Negative control: from three ranks on the two orders differ, so the test can tell them apart.
        if ranks.size > 2 { XCTAssertNotEqual(sum[0], sum[2]) }
    }

    func testSumOfNothing() throws {
        XCTAssertEqual(try ranks.sumInRankOrder([]), [])
        XCTAssertEqual(try ranks.sum([]), [])
    }

    func testIntegerCombinations() throws {
        let maximum = try ranks.maximum(-ranks.rank)
        let minimum = try ranks.minimum(-ranks.rank)
        let large = 1 << 60
        let extreme = try ranks.maximum(ranks.rank == ranks.size - 1 ? large + 1 : large)
        XCTAssertEqual(maximum, 0)
        XCTAssertEqual(minimum, 1 - ranks.size)
        XCTAssertEqual(extreme, large + 1)
        try withChunkLimits { limit in
            let sum = try ranks.sum((0..<10).map { $0 + ranks.rank })
            let ranksSum = ranks.size * (ranks.size - 1) / 2
            XCTAssertEqual(sum, (0..<10).map { $0 * ranks.size + ranksSum }, "chunks of \(limit)")
        }
    }

    func testWrongCountsAreRefused() throws {
        let counts = [Int](repeating: 2, count: ranks.size)
        XCTAssertEqual(try code { _ = try ranks.allGather([1], counts: counts) }, .count)
        XCTAssertEqual(try code { _ = try ranks.allGather([1, 2], counts: counts + [2]) }, .count)
        XCTAssertEqual(try code { _ = try ranks.allGather([], counts: counts.map { -$0 }) }, .count)
    }
}
