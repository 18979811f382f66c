// PartitionTests - who owns what: every element once, whole blocks, even shares, the same on every rank.

import Sharding
import TestSupport
import Testing

@Suite struct PartitionTests {
    private static let block = Partition.blockSize

    @Test func blocksAre64Ki() { #expect(Partition.blockSize == 65_536) }

    // MARK: - Buckets

    @Test func eachGroupIsABucketWhereGroupsAreLargeEnough() {
        let partition = Partition(count: 100, finalIndices: [80, 50, 10, 0], bucketElements: 1, rankCount: 3)
        #expect(partition.buckets == [80..<100, 50..<80, 10..<50, 0..<10])
    }

    @Test func smallGroupsAreJoinedWithThoseThatFollow() {
        // 20 and 20 + 30 are below 60; 20 + 30 + 40 is not; what is left makes the last bucket, however small.
        let partition = Partition(count: 100, finalIndices: [80, 50, 10, 0], bucketElements: 60, rankCount: 1)
        #expect(partition.buckets == [10..<100, 0..<10])
    }

    @Test(arguments: [
        (20, [80..<100, 50..<80, 10..<50, 0..<10]), (21, [50..<100, 10..<50, 0..<10]), (41, [50..<100, 0..<50]),
        (51, [10..<100, 0..<10]), (90, [10..<100, 0..<10]), (91, [0..<100]), (1_000_000, [0..<100]),
    ])
    func aBucketHasAtLeastTheGivenSizeButTheLast(_ bucketElements: Int, _ expected: [Range<Int>]) {
        let partition = Partition(
            count: 100, finalIndices: [80, 50, 10, 0], bucketElements: bucketElements, rankCount: 2)
        #expect(partition.buckets == expected)
    }

    /// The embedding: what it would be joined with must be reduced before it is final, and gathered after it is needed.
    @Test(arguments: [
        (30, [70..<100, 40..<70, 0..<40]), (40, [60..<100, 40..<60, 0..<40]), (41, [50..<100, 0..<50]),
    ])
    func aLargeLastGroupStaysAlone(_ bucketElements: Int, _ expected: [Range<Int>]) {
        let partition = Partition(
            count: 100, finalIndices: [90, 80, 70, 60, 50, 40, 0], bucketElements: bucketElements, rankCount: 2)
        #expect(partition.buckets == expected)
    }

    @Test func aPositionAtTheEndMakesNoEmptyBucket() {
        let partition = Partition(count: 100, finalIndices: [100, 40, 40, 0], bucketElements: 1, rankCount: 2)
        #expect(partition.buckets == [40..<100, 0..<40])
    }

    @Test func bucketsFallAndDoNotDependOnTheRanks() {
        forRandomCases { partition, spec in
            let alone = Partition(
                count: spec.count, finalIndices: spec.finalIndices, bucketElements: spec.bucketElements,
                rankCount: 1)
            #expect(partition.buckets == alone.buckets)
            #expect(partition.buckets.first?.upperBound == spec.count)
            #expect(partition.buckets.last?.lowerBound == 0)
            for (earlier, later) in zip(partition.buckets, partition.buckets.dropFirst()) {
                #expect(later.upperBound == earlier.lowerBound)
            }
            for bucket in partition.buckets {
                // Reduced when it is final: its start is a position that backward reports.
                #expect(spec.finalIndices.contains(bucket.lowerBound))
                // Only the last may be smaller, or the one before it, where the last group is large by itself.
                let isLastButOne = partition.buckets.last.map { $0.upperBound == bucket.lowerBound } ?? false
                #expect(
                    bucket.lowerBound == 0 || bucket.count >= spec.bucketElements
                        || (isLastButOne && bucket.lowerBound >= spec.bucketElements))
            }
        }
    }

    // MARK: - Ownership

    /// Blocks 0 ... 5 of one bucket and a rest of 7 elements: what each of 1 ... 9 ranks must get.
    @Test(arguments: [
        (1, [7]), (2, [4, 3]), (3, [3, 2, 2]), (4, [2, 2, 2, 1]), (5, [2, 2, 1, 1, 1]), (7, [1, 1, 1, 1, 1, 1, 1]),
        (9, [1, 1, 1, 1, 1, 1, 1, 0, 0]),
    ])
    func blocksOfOneBucket(_ ranks: Int, _ blocks: [Int]) {
        let count = 6 * Self.block + 7
        let partition = Partition(count: count, finalIndices: [0], bucketElements: 1, rankCount: ranks)
        var start = 0
        for rank in 0..<ranks {
            let end = min(count, start + blocks[rank] * Self.block)
            #expect(partition.owned(bucket: 0, rank: rank) == start..<end)
            start = end
        }
        #expect(start == count)
    }

    @Test func theLongerRunsRotateFromBucketToBucket() {
        // Four buckets of four blocks for three ranks: one rank gets two, and it is another one each time.
        let step = 4 * Self.block
        let partition = Partition(
            count: 4 * step, finalIndices: [3 * step, 2 * step, step, 0], bucketElements: 1, rankCount: 3)
        let blocks = partition.buckets.indices.map { partition.counts(bucket: $0).map { $0 / Self.block } }
        #expect(blocks == [[2, 1, 1], [1, 2, 1], [1, 1, 2], [2, 1, 1]])
        #expect((0..<3).map { partition.count(rank: $0) / Self.block } == [6, 5, 5])
    }

    @Test func smallModelsHaveIdleRanksButNotAlwaysTheSame() {
        // Buckets of one block each: the owner goes round.
        let partition = Partition(
            count: 6 * 10, finalIndices: [50, 40, 30, 20, 10, 0], bucketElements: 1, rankCount: 4)
        let owners = partition.buckets.indices.map { bucket in
            partition.counts(bucket: bucket).firstIndex { $0 > 0 }
        }
        #expect(owners == [0, 1, 2, 3, 0, 1])
        #expect(partition.runs(rank: 1) == [0..<10, 40..<50])
        #expect(partition.runs(rank: 3) == [20..<30])
    }

    @Test func everySmallCaseIsACover() {
        // All cuts into two buckets around the first two block borders, all of 1 ... 5 ranks.
        let sizes = [1, 2, Self.block - 1, Self.block, Self.block + 1, 2 * Self.block, 2 * Self.block + 1]
        for first in sizes {
            for second in sizes {
                for ranks in 1...5 {
                    check(
                        Partition(
                            count: first + second, finalIndices: [first, 0], bucketElements: 1, rankCount: ranks),
                        count: first + second)
                }
            }
        }
    }

    @Test func everyRandomCaseIsACover() {
        forRandomCases { partition, spec in check(partition, count: spec.count) }
    }

    @Test func moreRanksThanElementsIsACover() {
        let partition = Partition(count: 3, finalIndices: [2, 1, 0], bucketElements: 1, rankCount: 64)
        check(partition, count: 3)
        let counts: [Int] = (0..<64).map { partition.count(rank: $0) }
        #expect(counts.reduce(0, +) == 3)
    }

    @Test func equalArgumentsGiveEqualPartitions() {
        let count = 3 * Self.block + 5
        func make(_ ranks: Int, _ positions: [Int]) -> Partition {
            Partition(count: count, finalIndices: positions, bucketElements: 1, rankCount: ranks)
        }
        #expect(make(3, [Self.block, 0]) == make(3, [Self.block, 0]))
        #expect(make(3, [Self.block, 0]) != make(2, [Self.block, 0]))
        #expect(make(3, [Self.block, 0]) != make(3, [Self.block + 1, 0]))
    }

    // MARK: - Support

    private struct Spec {
        let count: Int
        let finalIndices: [Int]
        let bucketElements: Int
    }

    /// 300 partitions with up to 12 groups, up to 12 blocks a group, and up to 17 ranks.
    private func forRandomCases(_ body: (Partition, Spec) -> Void) {
        var random = SeededGenerator(seed: 20)
        for _ in 0..<300 {
            let sizes = (0..<Int.random(in: 1...12, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? Int.random(in: 1...1000, using: &random)
                    : Int.random(in: 1...(12 * Self.block), using: &random)
            }
            var positions = [0]
            for size in sizes { positions.append(positions[positions.count - 1] + size) }
            let count = positions.removeLast()
            let spec = Spec(
                count: count, finalIndices: positions.reversed(),
                bucketElements: Int.random(in: 1...(6 * Self.block), using: &random))
            let ranks = Int.random(in: 1...17, using: &random)
            body(
                Partition(
                    count: count, finalIndices: spec.finalIndices, bucketElements: spec.bucketElements,
                    rankCount: ranks), spec)
        }
    }

    /// Everything that must hold of any partition.
    private func check(_ partition: Partition, count: Int) {
        let ranks = partition.rankCount
        for (index, bucket) in partition.buckets.enumerated() {
            let owned = (0..<ranks).map { partition.owned(bucket: index, rank: $0) }
            // In rank order without gap or overlap: every element has exactly one owner.
            var position = bucket.lowerBound
            for run in owned {
                #expect(run.lowerBound == position)
                position = run.upperBound
                // Cut only between blocks, which are counted from the bucket's start.
                #expect((position - bucket.lowerBound) % Self.block == 0 || position == bucket.upperBound)
            }
            #expect(position == bucket.upperBound)
            let blocks = owned.map { ($0.count + Self.block - 1) / Self.block }
            #expect((blocks.max() ?? 0) - (blocks.min() ?? 0) <= 1)
            #expect(partition.counts(bucket: index) == owned.map(\.count))
        }
        var covered = 0
        var blockTotals: [Int] = []
        for rank in 0..<ranks {
            let runs = partition.runs(rank: rank)
            #expect(runs.allSatisfy { !$0.isEmpty })
            for (earlier, later) in zip(runs, runs.dropFirst()) { #expect(earlier.upperBound <= later.lowerBound) }
            #expect(partition.count(rank: rank) == runs.reduce(0) { $0 + $1.count })
            covered += partition.count(rank: rank)
            blockTotals.append(runs.reduce(0) { $0 + ($1.count + Self.block - 1) / Self.block })
        }
        #expect(covered == count)
        // Longer runs go round, so over all buckets, too, no rank owns two blocks more than another.
        #expect((blockTotals.max() ?? 0) - (blockTotals.min() ?? 0) <= 1)
    }
}
