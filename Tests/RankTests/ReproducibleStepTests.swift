// ReproducibleStepTests - a reproducible step against its definition: every micro-batch alone, converted, added as integers, and
// one AdamW over everything. Comparisons are of bits, whatever the number of ranks.

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

final class ReproducibleStepTests: RankTestCase {
    private let mile = LossConfiguration(kind: .mile, gamma: 1)

    /// What one process computes that knows no ranks.
    private struct Definition {
        let run: TinyRun
        let parameters: FloatSlice
        let firstMoment: FloatSlice
        let secondMoment: FloatSlice
        let microBatches: [Range<Int>]

        init(_ run: TinyRun) {
            self.run = run
            parameters = FloatSlice(run.initialParameters)
            firstMoment = Arena(count: parameters.count).all
            secondMoment = Arena(count: parameters.count).all
            let training = run.configuration.training
            microBatches = stride(from: 0, to: training.globalBatchSize, by: training.microBatchSize).map {
                $0..<min($0 + training.microBatchSize, training.globalBatchSize)
            }
        }

        /// Integer sum of the micro-batches' gradients, as a naive loop forms it.
        func gradient(step: Int, microBatches: [Range<Int>]) -> (gradient: [Float], sums: [LossSums]) {
            let training = run.configuration.training
            let transformer = Transformer(
                TinyRun.model, parameters: .fp32(parameters), sequenceLength: TinyRun.sequenceLength,
                maximumSequences: training.microBatchSize, forTraining: true, pool: run.pool)
            let microBatch = transformer.gradient
            // 2^-40 * 2^ceil(log2 N)
            let targets = training.globalBatchSize * TinyRun.sequenceLength
            var quantum = 0x1p-40
            while quantum * 0x1p40 < Double(targets) { quantum *= 2 }
            var total = [Int64](repeating: 0, count: parameters.count)
            var sums: [LossSums] = []
            for sequences in microBatches {
                let start = (step - 1) * training.globalBatchSize
                let batch = run.batch(at: (start + sequences.lowerBound)..<(start + sequences.upperBound))
                sums.append(
                    transformer.lossAndGradient(
                        batch, weighting: run.configuration.loss.tokenWeighting,
                        adding: false, isFinal: { _ in }))
                for (index, value) in microBatch.array.enumerated() {
                    total[index] += Int64((Double(value) / quantum).rounded(.toNearestOrEven))
                }
            }
            return (total.map { Float(Double($0) * quantum) }, sums)
        }

        /// Takes step `number` from a gradient of everything and its scale; returns the norm.
        func update(_ number: Int, _ gradient: FloatSlice, scale: Double) -> Double {
            let settings = run.configuration.optimizer
            // The tiny space is one block.
            let blocks = GradientNorm.blockSquares(run.pool, gradient, blockSize: Partition.blockSize)
            let buckets = Partition(
                count: parameters.count, finalIndices: TinyRun.model.gradientFinalIndices, bucketElements: 1,
                rankCount: 1
            ).buckets
            XCTAssertEqual(blocks.count, 1)
            let squares = buckets.reduce(0.0) { sum, bucket in
                sum + GradientNorm.blockSquares(run.pool, gradient[bucket], blockSize: Partition.blockSize)[0]
            }
            let norm = squares.squareRoot() * scale
            let adam = AdamW(
                configuration: settings,
                learningRate: settings.learningRate * run.configuration.schedule.factor(step: number), update: number,
                gradientScale: scale * GradientNorm.clipFactor(norm: norm, clip: settings.gradientClip))
            for entry in TinyRun.model.tensorTable.entries {
                adam.apply(
                    run.pool, parameters: parameters[entry.range], gradient: gradient[entry.range],
                    state: [firstMoment[entry.range], secondMoment[entry.range]],
                    decays: entry.kind.decays)
            }
            return norm
        }
    }

    private func check(_ run: TinyRun, _ name: String) throws {
        let rank = TinyRank(run, ranks)
        let definition = Definition(run)
        for step in 1...4 {
            let outcome = try rank.advance(step)
            let (gradient, sums) = definition.gradient(step: step, microBatches: definition.microBatches)
            let total = sums.reduce(LossSums(), +)
            let norm = definition.update(step, FloatSlice(gradient), scale: total.globalGradientScale)
            XCTAssertEqual(outcome.loss, total.normalizedGlobally, "\(name), step \(step)")
            XCTAssertEqual(outcome.gradientNorm, norm, "\(name), step \(step)")
            XCTAssertNil(
                bitDifference(rank.parameters.array, definition.parameters.array), "\(name), step \(step)")
        }
        var offset = 0
        for owned in rank.optimizer.partition.runs(rank: ranks.rank) {
            let place = offset..<(offset + owned.count)
            XCTAssertNil(
                bitDifference(rank.optimizer.state[0].values[place].array, definition.firstMoment[owned].array), name)
            XCTAssertNil(
                bitDifference(rank.optimizer.state[1].values[place].array, definition.secondMoment[owned].array), name)
            offset += owned.count
        }
    }

    func testAnyNumberOfRanksHasTheBitsOfOneProcess() throws {
        for reduction in GradientReduction.allCases {
            for (batch, micro) in [(8, 1), (10, 3), (2, 1), (7, 4)] {
                try check(
                    TinyRun(
                        loss: mile, globalBatchSize: batch, microBatchSize: micro, reduction: reduction,
                        reproducible: true), "\(reduction.rawValue), \(batch) by \(micro)")
            }
        }
        for (mask, starts) in [(true, false), (false, true), (true, true)] {
            try check(
                TinyRun(
                    loss: mile, globalBatchSize: 10, microBatchSize: 3, documentMask: mask, maskDocumentStarts: starts,
                    reproducible: true), "masks \(mask), starts \(starts)")
        }
        for loss in [LossConfiguration(kind: .focal, gamma: 2), LossConfiguration(kind: .crossEntropy)] {
            try check(TinyRun(loss: loss, globalBatchSize: 6, microBatchSize: 2, reproducible: true), "\(loss.kind)")
        }
    }

    /// The authors' normalisation: each accumulation step's integer sum is scaled in fp32 and added in their order.
    func testReferenceNormalisation() throws {
        for (parts, micro) in [(1, 1), (2, 1), (4, 2), (3, 4)] {
            let loss = LossConfiguration(kind: .mile, gamma: 1, normalization: .reference, referenceRanks: parts)
            let run = try TinyRun(loss: loss, globalBatchSize: 24, microBatchSize: micro, reproducible: true)
            let rank = TinyRank(run, ranks)
            let definition = Definition(run)
            for step in 1...3 {
                let outcome = try rank.advance(step)
                let accumulationSteps = 24 / (micro * parts)
                var accumulated = [Float](repeating: 0, count: definition.parameters.count)
                var scale = 1.0
                for accumulationStep in 0..<accumulationSteps {
                    let microBatches = (0..<parts).map { definition.microBatches[accumulationStep * parts + $0] }
                    let (gradient, sums) = definition.gradient(step: step, microBatches: microBatches)
                    let factor = ReferenceAccumulationStep(microBatches: sums).scales[0] / Double(accumulationSteps)
                    if accumulationSteps == 1 {
                        (accumulated, scale) = (gradient, factor)
                    } else {
                        for index in gradient.indices {
                            accumulated[index].addProduct(gradient[index], Float(factor))
                        }
                    }
                }
                let norm = definition.update(step, FloatSlice(accumulated), scale: scale)
                XCTAssertEqual(outcome.gradientNorm, norm, "\(parts) parts, step \(step)")
                XCTAssertNil(
                    bitDifference(rank.parameters.array, definition.parameters.array), "\(parts) parts, step \(step)")
            }
        }
    }

    /// Ordinary steps of several micro-batches do not have these bits, so the comparison can fail.
    func testOrdinaryStepsDiffer() throws {
        let run = try TinyRun(loss: mile, globalBatchSize: 10, microBatchSize: 1)
        let rank = TinyRank(run, ranks)
        let definition = Definition(run)
        for step in 1...4 {
            _ = try rank.advance(step)
            let (gradient, sums) = definition.gradient(step: step, microBatches: definition.microBatches)
            _ = definition.update(step, FloatSlice(gradient), scale: sums.reduce(LossSums(), +).globalGradientScale)
        }
        XCTAssertNotNil(bitDifference(rank.parameters.array, definition.parameters.array))
        // The same run but for rounding.
        let errors = zip(rank.parameters.array, definition.parameters.array).map { abs($0 - $1) }
        XCTAssertLessThan(errors.max() ?? 1, 1e-5)
    }

    /// Threads and ranks change no bit of a run with document masks; each of the two keys changes the run.
    func testDocumentMasksOnAnyNumberOfThreads() throws {
        func parameters(mask: Bool, starts: Bool, threads: Int) throws -> [Float] {
            let run = try TinyRun(
                loss: mile, globalBatchSize: 7, microBatchSize: 2, documentMask: mask, maskDocumentStarts: starts,
                reproducible: true)
            let rank = TinyRank(
                run.configuration, stream: run.stream, initialParameters: run.initialParameters,
                pool: try ThreadPool(threadCount: threads, spins: false), ranks)
            for step in 1...3 { _ = try rank.advance(step) }
            return rank.parameters.array
        }
        var runs: [[Float]] = []
        for (mask, starts) in [(false, false), (true, false), (false, true), (true, true)] {
            let alone = try parameters(mask: mask, starts: starts, threads: 1)
            for threads in [2, 3] {
                let other = try parameters(mask: mask, starts: starts, threads: threads)
                XCTAssertNil(bitDifference(other, alone), "masks \(mask), starts \(starts), \(threads) threads")
            }
            for other in runs { XCTAssertNotNil(bitDifference(other, alone), "masks \(mask), starts \(starts)") }
            runs.append(alone)
        }
    }

    func testWhoComputedWhatIsReported() throws {
        let run = try TinyRun(loss: mile, globalBatchSize: 10, microBatchSize: 3, reproducible: true)
        let outcome = try TinyRank(run, ranks).advance(1)
        let expected = (0..<ranks.size).map { rank in
            StepLayout(run.configuration, ranks: ranks.size).microBatches(rank: rank).reduce(0) {
                $0 + $1.sequences.count
            }
        }
        XCTAssertEqual(outcome.rankSequences, expected)
        XCTAssertEqual(outcome.rankSequences.reduce(0, +), 10)
        XCTAssertTrue(zip(outcome.rankSequences, outcome.rankSeconds).allSatisfy { ($0 > 0) == ($1 > 0) })
    }

    /// Weights of ten million: fine in fp32, beyond the fixed-point range. All ranks skip, and say whose gradients they are.
    func testOverflowIsFoundAndNamed() throws {
        let steep = LossConfiguration(kind: .mile, gamma: 8, sigma: 5)
        let run = try TinyRun(loss: steep, globalBatchSize: 12, microBatchSize: 1, reproducible: true)
        let rank = TinyRank(run, ranks)
        let start = rank.parameters.array
        let outcome = try rank.advance(1)
        XCTAssertTrue(outcome.isSkipped)
        XCTAssertTrue(outcome.gradientNorm.isNaN)
        XCTAssertTrue(outcome.loss.loss.isFinite)
        XCTAssertNil(bitDifference(rank.parameters.array, start))
        XCTAssertEqual(outcome.offendingRanks.count, ranks.size)
        for (rank, offender) in outcome.offendingRanks.enumerated() {
            let own = (12 * rank / ranks.size)..<(12 * (rank + 1) / ranks.size)
            XCTAssertEqual(
                offender,
                "rank \(rank), sequences \(own.lowerBound) ..< \(own.upperBound) (a gradient beyond the range of "
                    + "training.reproducible)")
        }
        // The same step added in fp32 is sound.
        let ordinary = try TinyRun(loss: steep, globalBatchSize: 12, microBatchSize: 1)
        XCTAssertFalse(try TinyRank(ordinary, ranks).advance(1).isSkipped)
    }
}
