// WorkShareTests - which sequences of a step a rank computes.

import Sharding
import Testing

@Suite struct WorkShareTests {
    // MARK: - Ordinary steps

    @Test func unevenShares() {
        func sequences(_ rank: Int) -> [Range<Int>] {
            WorkShare.units(globalBatchSize: 10, microBatchSize: 2, rank: rank, rankCount: 3).map(\.sequences)
        }
        #expect(sequences(0) == [0..<2, 2..<3])
        #expect(sequences(1) == [3..<5, 5..<6])
        #expect(sequences(2) == [6..<8, 8..<10])
    }

    @Test func ranksBeyondTheBatchAreIdle() {
        let shares = (0..<5).map {
            WorkShare.units(globalBatchSize: 2, microBatchSize: 4, rank: $0, rankCount: 5).map(\.sequences)
        }
        #expect(shares.filter(\.isEmpty).count == 3)
        #expect(shares.flatMap { $0 } == [0..<1, 1..<2])
    }

    /// Every batch up to 24, micro-batch up to 7 and up to 9 ranks.
    @Test func everySequenceIsComputedOnce() {
        for batch in 1...24 {
            for micro in 1...7 {
                for ranks in 1...9 {
                    var next = 0
                    var shares: [Int] = []
                    for rank in 0..<ranks {
                        let units = WorkShare.units(
                            globalBatchSize: batch, microBatchSize: micro, rank: rank, rankCount: ranks)
                        for unit in units {
                            #expect(unit.sequences.lowerBound == next)
                            #expect((1...micro).contains(unit.sequences.count))
                            #expect(unit.microStep == 0 && unit.part == 0)
                            next = unit.sequences.upperBound
                        }
                        let share = units.reduce(0) { $0 + $1.sequences.count }
                        // As few units as possible.
                        #expect(units.count == (share + micro - 1) / micro)
                        shares.append(share)
                    }
                    #expect(next == batch)
                    #expect((shares.max() ?? 0) - (shares.min() ?? 0) <= 1)
                }
            }
        }
    }

    // MARK: - training.reproducible

    @Test func reproducibleUnitsAreTheSameOnAnyNumberOfRanks() {
        for batch in 1...24 {
            for micro in 1...7 {
                let expected = stride(from: 0, to: batch, by: micro).map { $0..<min($0 + micro, batch) }
                for ranks in 1...9 {
                    let shares = (0..<ranks).map { rank in
                        WorkShare.reproducibleUnits(
                            globalBatchSize: batch, microBatchSize: micro, rank: rank, rankCount: ranks
                        ).map(\.sequences)
                    }
                    #expect(shares.flatMap { $0 } == expected)
                    let counts = shares.map(\.count)
                    #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1)
                }
            }
        }
        // Ordinary units are not: that is what the promise costs.
        let ordinary = (0..<3).flatMap {
            WorkShare.units(globalBatchSize: 10, microBatchSize: 4, rank: $0, rankCount: 3).map(\.sequences)
        }
        #expect(ordinary != [0..<4, 4..<8, 8..<10])
    }

    // MARK: - normalization: reference

    @Test func referenceUnitsOfTwoMicroSteps() {
        func units(_ rank: Int) -> [WorkUnit] {
            WorkShare.referenceUnits(
                globalBatchSize: 12, microBatchSize: 2, referenceRanks: 3, rank: rank, rankCount: 2)
        }
        #expect(units(0).map(\.sequences) == [0..<2, 6..<8])
        #expect(units(0).map(\.microStep) == [0, 1])
        #expect(units(0).map(\.part) == [0, 0])
        #expect(units(1).map(\.sequences) == [2..<4, 4..<6, 8..<10, 10..<12])
        #expect(units(1).map(\.microStep) == [0, 0, 1, 1])
        #expect(units(1).map(\.part) == [1, 2, 1, 2])
    }

    /// Up to 3 micro-steps of up to 5 parts of up to 3 sequences, on up to 7 ranks.
    @Test func everyReferenceUnitIsComputedOnce() {
        for microSteps in 1...3 {
            for parts in 1...5 {
                for micro in 1...3 {
                    for ranks in 1...7 {
                        checkReference(microSteps: microSteps, parts: parts, micro: micro, ranks: ranks)
                    }
                }
            }
        }
    }

    private func checkReference(microSteps: Int, parts: Int, micro: Int, ranks: Int) {
        let all = (0..<ranks).map {
            WorkShare.referenceUnits(
                globalBatchSize: microSteps * parts * micro, microBatchSize: micro, referenceRanks: parts, rank: $0,
                rankCount: ranks)
        }
        for microStep in 0..<microSteps {
            // Ranks in order hold the parts in order: so gathered sums come in the units' order.
            let units = all.flatMap { $0.filter { $0.microStep == microStep } }
            #expect(units.map(\.part) == Array(0..<parts))
            for unit in units {
                let start = (microStep * parts + unit.part) * micro
                #expect(unit.sequences == start..<(start + micro))
            }
            let counts = all.map { $0.filter { $0.microStep == microStep }.count }
            #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1)
        }
        #expect(all.reduce(0) { $0 + $1.count } == microSteps * parts)
    }
}
