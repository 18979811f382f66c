// TrainingStepTests - a step of any number of ranks is the step that the definition of the loss gives.

import Configuration
import Kernels
import LlamaModel
import MessagePassing
import Optimization
import Sharding
import Tensors
import TestSupport
import XCTest

@testable import Planning
@testable import Training

final class TrainingStepTests: RankTestCase {
    private let mile = LossConfiguration(kind: .mile, gamma: 1.5)

    private func reference(_ reference: Int) -> LossConfiguration {
        LossConfiguration(kind: .mile, gamma: 1.5, normalization: .reference, referenceRanks: reference)
    }

    /// Two steps of `run`, compared with the definition; the second has moments and starts where the first one ended.
    private func check(_ run: TinyRun, referenceRanks: Int? = nil, _ label: String) throws {
        let rank = TinyRank(run, ranks)
        var expected = TinyReference(run)
        for number in 1...2 {
            let outcome = try rank.advance(number)
            let step = expected.advance(number, referenceRanks: referenceRanks)
            let place = "\(label), step \(number)"
            // Sums of a few hundred numbers of single precision; the second step starts from parameters that differ by
            // as much.
            XCTAssertEqual(outcome.loss.loss, step.loss, accuracy: 1e-5 * step.loss, place)
            XCTAssertEqual(outcome.loss.crossEntropy, step.crossEntropy, accuracy: 1e-5 * step.crossEntropy, place)
            XCTAssertEqual(outcome.loss.entropy, step.entropy, accuracy: 1e-5 * step.entropy, place)
            XCTAssertEqual(outcome.loss.alpha, step.alpha, accuracy: 1e-5 * step.alpha, place)
            XCTAssertEqual(outcome.gradientNorm, step.gradientNorm, accuracy: 1e-5 * step.gradientNorm, place)
            XCTAssertGreaterThan(step.gradientNorm, run.configuration.optimizer.gradientClip, "\(place): no clipping")
            XCTAssertFalse(outcome.isSkipped || outcome.isStopRequested, place)
            let batch = run.configuration.training.globalBatchSize
            XCTAssertEqual(outcome.tokens, batch * TinyRun.sequenceLength, place)
            let start = run.initialParameters.doubles
            let moved = zip(rank.parameters.array.doubles, start).map { $0 - $1 }
            let wanted = zip(expected.adam.parameters, start).map { $0 - $1 }
            // The parameters themselves round to 2^-24, which is about 1e-5 of what a step moves them.
            XCTAssertNil(disagreement(moved, wanted, within: 1e-4), place)
        }
    }

    func testGlobalNormalisationWithAccumulation() throws {
        // 7 sequences in micro-batches of at most 2: no number of ranks but 1 and 7 divides them.
        for reduction in GradientReduction.allCases {
            try check(
                TinyRun(loss: mile, globalBatchSize: 7, microBatchSize: 2, reduction: reduction), reduction.rawValue)
        }
    }

    func testGlobalNormalisationCountsIgnoredTargetsNowhere() throws {
        try check(
            TinyRun(loss: mile, globalBatchSize: 7, microBatchSize: 3, ignored: [0, 4, 7]), "three tokens ignored")
    }

    func testDocumentMasks() throws {
        for (mask, starts) in [(true, false), (false, true), (true, true)] {
            try check(
                TinyRun(
                    loss: mile, globalBatchSize: 7, microBatchSize: 3, documentMask: mask, maskDocumentStarts: starts),
                "masks \(mask), starts \(starts)")
        }
    }

    /// Parameters that arrive during the next step are the same ones; ranks without a micro-batch never ask for them.
    func testGathersThatTheNextStepWaitsForChangeNoBit() throws {
        for reduction in GradientReduction.allCases {
            for batch in [2, 7] {
                let run = try TinyRun(loss: mile, globalBatchSize: batch, microBatchSize: 1, reduction: reduction)
                let (waiting, leaving) = (TinyRank(run, ranks), TinyRank(run, ranks))
                for number in 1...4 {
                    let expected = try waiting.advance(number)
                    let outcome = try leaving.advance(number, finishesGather: false)
                    XCTAssertEqual(outcome.loss, expected.loss, "\(reduction.rawValue), \(batch), step \(number)")
                }
                try leaving.optimizer.finishGather()
                XCTAssertNil(
                    bitDifference(leaving.parameters.array, waiting.parameters.array), "\(reduction.rawValue), \(batch)"
                )
            }
        }
    }

    func testIdleRanksTakePartWithNothing() throws {
        for reduction in GradientReduction.allCases {
            try check(
                TinyRun(loss: mile, globalBatchSize: 2, microBatchSize: 1, reduction: reduction), reduction.rawValue)
        }
    }

    func testCrossEntropyAndFocal() throws {
        try check(
            TinyRun(loss: LossConfiguration(kind: .crossEntropy), globalBatchSize: 5, microBatchSize: 2),
            "cross_entropy")
        try check(
            TinyRun(loss: LossConfiguration(kind: .focal, gamma: 2), globalBatchSize: 5, microBatchSize: 2), "focal")
    }

    func testReferenceNormalisation() throws {
        // 8 sequences: 8, 4 and 2 accumulation steps; with fewer parts than ranks some of those have no micro-batch.
        for parts in [1, 2, 4] {
            for reduction in GradientReduction.allCases {
                try check(
                    TinyRun(loss: reference(parts), globalBatchSize: 8, microBatchSize: 1, reduction: reduction),
                    referenceRanks: parts, "\(parts) parts, \(reduction.rawValue)")
            }
        }
    }

    func testReferenceNormalisationOfASingleAccumulationStep() throws {
        for parts in [1, 2, 4] {
            try check(
                TinyRun(loss: reference(parts), globalBatchSize: 8, microBatchSize: 8 / parts), referenceRanks: parts,
                "\(parts) parts")
        }
    }

    func testReferenceNormalisationCountsIgnoredPositions() throws {
        for parts in [1, 2, 4] {
            let run = try TinyRun(loss: reference(parts), globalBatchSize: 8, microBatchSize: 2, ignored: [0, 4, 7])
            try check(run, referenceRanks: parts, "\(parts) parts")
            // Negative control: the number of parts shows in the numbers that are compared.
            var (right, wrong) = (TinyReference(run), TinyReference(run))
            let (a, b) = (
                right.advance(1, referenceRanks: parts), wrong.advance(1, referenceRanks: parts == 1 ? 2 : 1)
            )
            XCTAssertGreaterThan(abs(a.loss - b.loss), 1e-4 * a.loss)
        }
    }

    func testReferenceRanksDefaultToTheRanks() throws {
        try check(
            TinyRun(loss: reference(0), globalBatchSize: 24, microBatchSize: 1), referenceRanks: ranks.size,
            "reference_ranks 0")
    }

    func testAStopOfOneRankReachesAll() throws {
        for loss in [mile, reference(1)] {
            // A micro-batch at most for each rank, so that the step is finished before anybody looks.
            let run = try TinyRun(loss: loss, globalBatchSize: 4, microBatchSize: 4)
            let rank = TinyRank(run, ranks)
            let asked = try rank.advance(1, isStopRequested: ranks.rank == ranks.size - 1)
            let unasked = try rank.advance(2)
            XCTAssertTrue(asked.isStopRequested)
            XCTAssertFalse(unasked.isStopRequested)
        }
    }

    /// With several micro-batches the step is given up before the next one, and has left no trace.
    func testAStopWithinAStepGivesItUp() throws {
        for (loss, reproducible) in [(mile, false), (mile, true), (reference(2), false), (reference(2), true)] {
            let run = try TinyRun(loss: loss, globalBatchSize: 12, microBatchSize: 1, reproducible: reproducible)
            let (rank, undisturbed) = (TinyRank(run, ranks), TinyRank(run, ranks))
            let start = rank.parameters.array
            XCTAssertThrowsError(try rank.advance(1, isStopRequested: ranks.rank == ranks.size - 1)) {
                XCTAssertTrue($0 is GivenUp)
            }
            XCTAssertNil(bitDifference(rank.parameters.array, start))
            let (again, expected) = (try rank.advance(1), try undisturbed.advance(1))
            XCTAssertEqual(again.loss, expected.loss)
            XCTAssertNil(bitDifference(rank.parameters.array, undisturbed.parameters.array))
            XCTAssertNotNil(bitDifference(rank.parameters.array, start))
        }
    }

    func testANonFiniteGradientOfOneRankIsSkippedByAll() throws {
        for loss in [mile, reference(1), reference(4)] {
            let run = try TinyRun(loss: loss, globalBatchSize: 8, microBatchSize: 1)
            let rank = TinyRank(run, ranks)
            let start = rank.parameters.array
            // The last rank computes something in each case, or else what it holds does not matter.
            let bad = ranks.size - 1
            let isPoisoned = StepLayout(run.configuration, ranks: ranks.size).microBatches(rank: bad).isEmpty == false
            let place = TinyRun.model.tensorTable["model.norm.weight"]?.range.lowerBound ?? 0
            if ranks.rank == bad { rank.parameters[place] = .nan }
            let outcome = try rank.advance(1)
            if ranks.rank == bad { rank.parameters[place] = start[place] }
            XCTAssertEqual(outcome.isSkipped, isPoisoned)
            guard isPoisoned else { continue }
            XCTAssertFalse(outcome.loss.loss.isFinite && outcome.gradientNorm.isFinite)
            XCTAssertNil(bitDifference(rank.parameters.array, start))
            XCTAssertEqual(rank.optimizer.state[0].values.array.first { $0 != 0 }, nil)
            XCTAssertEqual(rank.optimizer.state[1].values.array.first { $0 != 0 }, nil)
            // The run goes on as if the step had never been.
            let next = try rank.advance(2)
            XCTAssertFalse(next.isSkipped)
            XCTAssertTrue(rank.parameters.array.allSatisfy { $0.isFinite })
            XCTAssertNotNil(bitDifference(rank.parameters.array, start))
        }
    }

    /// 0 / 0 is no loss, and nothing changes: neither by weight decay nor by what moments hold from an earlier step.
    func testAStepWithoutATargetHasNoLossAndUpdatesNothing() throws {
        let focal = LossConfiguration(kind: .focal, gamma: 1e6)
        for (loss, ignored) in [(mile, Array(0..<13)), (reference(2), Array(0..<13)), (focal, [])]
            as [(LossConfiguration, [Int32])]
        {
            for isReproducible in [false, true] {
                let run = try TinyRun(
                    loss: loss, globalBatchSize: 8, microBatchSize: 2, ignored: ignored, reproducible: isReproducible)
                let rank = TinyRank(run, ranks)
                let place = "\(loss.kind.rawValue), \(loss.normalization.rawValue), reproducible \(isReproducible)"
                for number in 1...2 {
                    let outcome = try rank.advance(number)
                    XCTAssertTrue(outcome.isSkipped && outcome.isWithoutTargets, place)
                    XCTAssertTrue(outcome.loss.loss.isNaN && outcome.loss.alpha.isNaN, place)
                    XCTAssertTrue(outcome.gradientNorm.isNaN && outcome.offendingRanks.isEmpty, place)
                    // Focal weights of 0 leave the cross-entropy what it is.
                    XCTAssertEqual(outcome.loss.crossEntropy.isFinite, ignored.isEmpty, place)
                    XCTAssertEqual(outcome.tokens, 8 * TinyRun.sequenceLength, place)
                }
                XCTAssertNil(bitDifference(rank.parameters.array, run.initialParameters), place)
                XCTAssertTrue(rank.optimizer.state[0].values.array.allSatisfy { $0 == 0 }, place)
            }
        }
    }
}
