// StepReportsTests - sums over units in the order of the sequences, whoever computed them.

import Kernels
import MessagePassing
import Sharding
import XCTest

@testable import Training

final class StepReportsTests: RankTestCase {
    /// Units of two micro-steps, of which each rank has parts of both: joined by rank they would be in another order.
    func testUnitsAreAddedInTheOrderOfTheSequences() throws {
        let parts = 4
        let units = (0..<ranks.size).map {
            WorkShare.referenceUnits(
                globalBatchSize: 8, microBatchSize: 1, referenceRanks: parts, rank: $0, rankCount: ranks.size)
        }
        // In double, 2^53 + 1 is 2^53: what comes after the large term is lost one by one, what comes before is not.
        func sums(_ unit: WorkUnit) -> LossSums {
            var sums = LossSums()
            sums.crossEntropy = unit.sequences.lowerBound == 3 ? 0x1p53 : 1
            return sums
        }
        let own = units[ranks.rank].map(sums)
        let reports = try StepReports(ranks, units: units, sums: own, own: RankShare())
        XCTAssertEqual(reports.units.map(\.unit.sequences), (0..<8).map { $0..<($0 + 1) })
        // 3 + 2^53 rounds to 2^53 + 4, and the four that follow are lost, ties going to even.
        let expected = (0..<8).reduce(0.0) { $0 + ($1 == 3 ? 0x1p53 : 1) }
        XCTAssertEqual(reports.total.crossEntropy, expected)
        XCTAssertNotEqual(expected, 0x1p53 + 7)
        for (unit, rank, _) in reports.units { XCTAssertTrue(units[rank].contains(unit)) }
    }
}
