// StepReportsTests - sums over micro-batches in the order of the sequences, whoever computed them.

import Kernels
import MessagePassing
import Sharding
import XCTest

@testable import Training

final class StepReportsTests: RankTestCase {
    /// Micro-batches of two accumulation steps, of which each rank has parts of both: joined by rank they would be in another order.
    func testMicroBatchesAreAddedInTheOrderOfTheSequences() throws {
        let parts = 4
        let microBatches = (0..<ranks.size).map {
            WorkShare.referenceMicroBatches(
                globalBatchSize: 8, microBatchSize: 1, referenceRanks: parts, rank: $0, rankCount: ranks.size)
        }
        // In double, 2^53 + 1 is 2^53: what comes after the large term is lost one by one, what comes before is not.
        func sums(_ microBatch: MicroBatch) -> LossSums {
            var sums = LossSums()
            sums.crossEntropy = microBatch.sequences.lowerBound == 3 ? 0x1p53 : 1
            return sums
        }
        let own = microBatches[ranks.rank].map(sums)
        let reports = try StepReports(ranks, microBatches: microBatches, sums: own, own: RankShare())
        XCTAssertEqual(reports.microBatches.map(\.microBatch.sequences), (0..<8).map { $0..<($0 + 1) })
        // 3 + 2^53 rounds to 2^53 + 4, and the four that follow are lost, ties going to even.
        let expected = (0..<8).reduce(0.0) { $0 + ($1 == 3 ? 0x1p53 : 1) }
        XCTAssertEqual(reports.total.crossEntropy, expected)
        XCTAssertNotEqual(expected, 0x1p53 + 7)
        for (microBatch, rank, _) in reports.microBatches { XCTAssertTrue(microBatches[rank].contains(microBatch)) }
    }
}
