// WorkShareTests - which sequences of a step a rank computes.

import Sharding
import Testing

@Suite struct WorkShareTests {
    // MARK: - Ordinary steps

    @Test func unevenShares() {
        func sequences(_ rank: Int) -> [Range<Int>] {
            WorkShare.microBatches(globalBatchSize: 10, microBatchSize: 2, rank: rank, rankCount: 3).map(\.sequences)
        }
        #expect(sequences(0) == [0..<2, 2..<3])
        #expect(sequences(1) == [3..<5, 5..<6])
        #expect(sequences(2) == [6..<8, 8..<10])
    }

    @Test func ranksBeyondTheBatchAreIdle() {
        let shares = (0..<5).map {
            WorkShare.microBatches(globalBatchSize: 2, microBatchSize: 4, rank: $0, rankCount: 5).map(\.sequences)
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
                        let microBatches = WorkShare.microBatches(
                            globalBatchSize: batch, microBatchSize: micro, rank: rank, rankCount: ranks)
                        for microBatch in microBatches {
                            #expect(microBatch.sequences.lowerBound == next)
                            #expect((1...micro).contains(microBatch.sequences.count))
                            #expect(microBatch.accumulationStep == 0 && microBatch.part == 0)
                            next = microBatch.sequences.upperBound
                        }
                        let share = microBatches.reduce(0) { $0 + $1.sequences.count }
                        // As few micro-batches as possible.
                        #expect(microBatches.count == (share + micro - 1) / micro)
                        shares.append(share)
                    }
                    #expect(next == batch)
                    #expect((shares.max() ?? 0) - (shares.min() ?? 0) <= 1)
                }
            }
        }
    }

    // MARK: - training.reproducible

    @Test func reproducibleMicroBatchesAreTheSameOnAnyNumberOfRanks() {
        for batch in 1...24 {
            for micro in 1...7 {
                let expected = stride(from: 0, to: batch, by: micro).map { $0..<min($0 + micro, batch) }
                for ranks in 1...9 {
                    let shares = (0..<ranks).map { rank in
                        WorkShare.reproducibleMicroBatches(
                            globalBatchSize: batch, microBatchSize: micro, rank: rank, rankCount: ranks
                        ).map(\.sequences)
                    }
                    #expect(shares.flatMap { $0 } == expected)
                    let counts = shares.map(\.count)
                    #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1)
                }
            }
        }
        // Ordinary micro-batches are not: that is what the promise costs.
        let ordinary = (0..<3).flatMap {
            WorkShare.microBatches(globalBatchSize: 10, microBatchSize: 4, rank: $0, rankCount: 3).map(\.sequences)
        }
        #expect(ordinary != [0..<4, 4..<8, 8..<10])
    }

    // MARK: - normalization: reference

    @Test func referenceMicroBatchesOfTwoAccumulationSteps() {
        func microBatches(_ rank: Int) -> [MicroBatch] {
            WorkShare.referenceMicroBatches(
                globalBatchSize: 12, microBatchSize: 2, referenceRanks: 3, rank: rank, rankCount: 2)
        }
        #expect(microBatches(0).map(\.sequences) == [0..<2, 6..<8])
        #expect(microBatches(0).map(\.accumulationStep) == [0, 1])
        #expect(microBatches(0).map(\.part) == [0, 0])
        #expect(microBatches(1).map(\.sequences) == [2..<4, 4..<6, 8..<10, 10..<12])
        #expect(microBatches(1).map(\.accumulationStep) == [0, 0, 1, 1])
        #expect(microBatches(1).map(\.part) == [1, 2, 1, 2])
    }

    /// Up to 3 accumulation steps of up to 5 parts of up to 3 sequences, on up to 7 ranks.
    @Test func everyReferenceMicroBatchIsComputedOnce() {
        for accumulationSteps in 1...3 {
            for parts in 1...5 {
                for micro in 1...3 {
                    for ranks in 1...7 {
                        checkReference(accumulationSteps: accumulationSteps, parts: parts, micro: micro, ranks: ranks)
                    }
                }
            }
        }
    }

    private func checkReference(accumulationSteps: Int, parts: Int, micro: Int, ranks: Int) {
        let all = (0..<ranks).map {
            WorkShare.referenceMicroBatches(
                globalBatchSize: accumulationSteps * parts * micro, microBatchSize: micro, referenceRanks: parts,
                rank: $0,
                rankCount: ranks)
        }
        for accumulationStep in 0..<accumulationSteps {
            // Ranks in order hold the parts in order: so gathered sums come in the micro-batches' order.
            let microBatches = all.flatMap { $0.filter { $0.accumulationStep == accumulationStep } }
            #expect(microBatches.map(\.part) == Array(0..<parts))
            for microBatch in microBatches {
                let start = (accumulationStep * parts + microBatch.part) * micro
                #expect(microBatch.sequences == start..<(start + micro))
            }
            let counts = all.map { $0.filter { $0.accumulationStep == accumulationStep }.count }
            #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1)
        }
        #expect(all.reduce(0) { $0 + $1.count } == accumulationSteps * parts)
    }
}
