// NodeTests - reductions and gathers through the memory that ranks of a node share, with real and pretended nodes, against
// naive sums. All values are small integers, of which every sum is exact, unless a test is about the order of additions.

import MessagePassing
import Tensors
import TestSupport
import XCTest

final class NodeTests: RankTestCase {
    override func tearDownWithError() throws {
        try ranks.regroup(NodeSettings())
        try super.tearDownWithError()
    }

    /// Runs `body` with every placement that these ranks allow, with staging memory for a few elements and for all, and with
    /// messages alone.
    private func withPaths(_ body: (String) throws -> Void) throws {
        var placements: [(String, NodeSettings.Placement)] = [("one node", .actual)]
        if ranks.size == 4 {
            placements += [("blocks of 2", .blocks(of: 2)), ("2 nodes in turn", .cyclic(nodes: 2))]
        }
        for (name, placement) in placements {
            for staging in [1, 20_000, 1 << 20] {
                var settings = NodeSettings()
                settings.placement = placement
                settings.stagingBytes = staging
                settings.leastStagingBytes = 1
                try ranks.regroup(settings)
                XCTAssertEqual(ranks.usesSharedMemory, ranks.size > 1)
                try body("\(name), staging \(staging)")
                guard staging == 20_000 else { continue }
                // What goes between nodes in several messages.
                let usual = ranks.chunkLimit
                ranks.chunkLimit = 100
                defer { ranks.chunkLimit = usual }
                try body("\(name), messages of 100")
            }
        }
        var refused = NodeSettings()
        refused.freeBytes = 0
        try ranks.regroup(refused)
        XCTAssertFalse(ranks.usesSharedMemory)
        try body("messages")
    }

    /// Segment sizes that all ranks draw alike: some empty, some of many pieces.
    private func randomCounts(_ random: inout SeededGenerator, longest: Int) -> [Int] {
        (0..<ranks.size).map { _ in
            Int.random(in: 0..<4, using: &random) == 0 ? 0 : Int.random(in: 0...longest, using: &random)
        }
    }

    private func value(_ rank: Int, _ index: Int, _ salt: Int) -> Float {
        Float((index * 7 + rank * 131 + salt * 17) % 1009 - 300)
    }

    private func sums(_ range: Range<Int>, _ salt: Int) -> [Float] {
        range.map { index in (0..<ranks.size).reduce(0) { $0 + value($1, index, salt) } }
    }

    private func own(_ counts: [Int], _ rank: Int) -> Range<Int> {
        let start = counts[..<rank].reduce(0, +)
        return start..<(start + counts[rank])
    }

    func testManyOperationsInFlight() throws {
        try withPaths { path in
            var random = SeededGenerator(seed: 11)
            for _ in 0..<4 {
                var requests = RequestSet()
                var checks: [() -> Bool] = []
                for salt in 0..<6 {
                    let counts = randomCounts(&random, longest: salt % 2 == 0 ? 50 : 4000)
                    let total = counts.reduce(0, +)
                    let owned = own(counts, ranks.rank)
                    let mine = FloatSlice((0..<total).map { value(ranks.rank, $0, salt) })
                    switch salt % 3 {
                    case 0:
                        let whole = FloatSlice([Float](repeating: -1, count: owned.count + 2))
                        let before = mine.array
                        requests.add(
                            try ranks.startReduceScatterSum(mine, counts: counts, into: whole[1..<(owned.count + 1)]))
                        let expected = [-1] + sums(owned, salt) + [-1]
                        checks.append { whole.array == expected && mine.array == before }
                    case 1:
                        requests.add(try ranks.startAllReduceSum(mine))
                        let expected = sums(0..<total, salt)
                        checks.append { mine.array == expected }
                    default:
                        for index in 0..<total where !owned.contains(index) { mine[index] = -1 }
                        requests.add(try ranks.startAllGather(inPlace: mine, counts: counts))
                        let expected = (0..<ranks.size).flatMap { rank in
                            self.own(counts, rank).map { value(rank, $0, salt) }
                        }
                        checks.append { mine.array == expected }
                    }
                    if salt % 2 == 0 { _ = try ranks.progress() }
                }
                // A collective of the library in between.
                let sum = try ranks.sum([1])
                try requests.waitAll()
                XCTAssertEqual(sum, [ranks.size], path)
                for (index, check) in checks.enumerated() { XCTAssertTrue(check(), "\(path), operation \(index)") }
            }
        }
    }

    func testWaitingInAnotherOrderThanStarting() throws {
        try withPaths { path in
            let first = FloatSlice((0..<5000).map { value(ranks.rank, $0, 1) })
            let second = FloatSlice((0..<300).map { value(ranks.rank, $0, 2) })
            let firstRequest = try ranks.startAllReduceSum(first)
            let secondRequest = try ranks.startAllReduceSum(second)
            try secondRequest.wait()
            try firstRequest.wait()
            XCTAssertTrue(first.array == sums(0..<5000, 1) && second.array == sums(0..<300, 2), path)
        }
    }

    func testGatherOfSixteenBitElements() throws {
        try withPaths { path in
            var random = SeededGenerator(seed: 5)
            for _ in 0..<4 {
                let counts = randomCounts(&random, longest: 3001)
                let total = counts.reduce(0, +)
                let numbers = BFloat16Slice(count: total)
                // Integers below 256 are exact in bf16.
                for index in own(counts, ranks.rank) { numbers.view[index] = Float(index % 200 + ranks.rank) }
                try ranks.startAllGather(inPlace: numbers, counts: counts).wait()
                let expected = (0..<ranks.size).flatMap { rank in own(counts, rank).map { Float($0 % 200 + rank) } }
                XCTAssertTrue(numbers.array == expected, path)
            }
        }
    }

    func testIntegerSums() throws {
        func value(_ rank: Int, _ index: Int) -> Int64 { (1 << 55) + Int64(index * 3 - rank) }
        func sum(_ range: Range<Int>) -> [Int64] {
            range.map { index in (0..<ranks.size).reduce(Int64(0)) { $0 + value($1, index) } }
        }
        try withPaths { path in
            var random = SeededGenerator(seed: 6)
            for _ in 0..<4 {
                let counts = randomCounts(&random, longest: 3001)
                let total = counts.reduce(0, +)
                let buffer = Int64Slice(count: total)
                buffer.copy(from: (0..<total).map { value(ranks.rank, $0) })
                let target = Int64Slice(count: counts[ranks.rank])
                try ranks.startReduceScatterSum(buffer, counts: counts, into: target).wait()
                XCTAssertTrue(target.array == sum(own(counts, ranks.rank)), path)
                try ranks.startAllReduceSum(buffer).wait()
                XCTAssertTrue(buffer.array == sum(0..<total), path)
            }
        }
    }

    func testAdditionsAreInRankOrder() throws {
        try ranks.regroup(NodeSettings())
        // Values of many magnitudes, whose sum depends on the order.
        let count = 10_007
        func float(_ rank: Int, _ index: Int) -> Float {
            var random = SeededGenerator(seed: UInt64(index * 64 + rank))
            return Float.random(in: -1...1, using: &random) * Float(1 << (index * 5 % 20 + rank * 3))
        }
        let mine = (0..<count).map { float(ranks.rank, $0) }
        let inOrder = (0..<count).map { index in
            (1..<max(ranks.size, 1)).reduce(float(0, index)) { $0 + float($1, index) }
        }
        let backwards = (0..<count).map { index in
            (0..<(ranks.size - 1)).reversed().reduce(float(ranks.size - 1, index)) { $0 + float($1, index) }
        }
        var counts = [Int](repeating: count / ranks.size, count: ranks.size)
        counts[0] += count % ranks.size
        let reduced = FloatSlice(mine)
        let target = Arena(count: counts[ranks.rank]).all
        try ranks.startAllReduceSum(reduced).wait()
        try ranks.startReduceScatterSum(FloatSlice(mine), counts: counts, into: target).wait()
        XCTAssertTrue(reduced.array == inOrder)
        XCTAssertTrue(target.array == Array(inOrder[own(counts, ranks.rank)]))
        // The control: another order gives other bits, so the comparison above could fail. Two terms commute.
        XCTAssertEqual(backwards != inOrder, ranks.size > 2)
    }

    func testLentThreadsDoTheWork() throws {
        try ranks.regroup(NodeSettings())
        let count = 600_011
        let mine = FloatSlice((0..<count).map { value(ranks.rank, $0, 3) })
        var tasks = 0
        // In reverse, so that a body that counts on the order would be found out.
        try ranks.startAllReduceSum(mine) { count, body in
            tasks += count
            for task in (0..<count).reversed() { body(task) }
        }.wait()
        XCTAssertTrue(mine.array == sums(0..<count, 3))
        XCTAssertEqual(tasks > 0, ranks.size > 1)
    }

    func testWindowShrinksToTheRoomThatThereIs() throws {
        var settings = NodeSettings()
        // Twice the window of 512 KiB a rank, and a little.
        settings.freeBytes = ranks.size * ((512 << 10) + 8192) * 2
        try ranks.regroup(settings)
        XCTAssertEqual(ranks.usesSharedMemory, ranks.size > 1)
        // One rank that has no room decides for all.
        settings.freeBytes = ranks.rank == ranks.size - 1 ? 1000 : nil
        try ranks.regroup(settings)
        XCTAssertFalse(ranks.usesSharedMemory)
    }

    func testUnevenNodesUseMessages() throws {
        try XCTSkipIf(ranks.size != 3, "three ranks make a node of two and one of one")
        var settings = NodeSettings()
        settings.placement = .blocks(of: 2)
        try ranks.regroup(settings)
        let buffer = FloatSlice([1])
        try ranks.startAllReduceSum(buffer).wait()
        XCTAssertFalse(ranks.usesSharedMemory)
        XCTAssertEqual(buffer.array, [3])
    }
}
