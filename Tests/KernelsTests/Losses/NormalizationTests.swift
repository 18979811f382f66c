// NormalizationTests - what the sums of micro-batches become: the global normaliser and the authors' own.

import Foundation
import Kernels
import TestSupport
import Tensors
import Testing

struct NormalizationTests {
    /// The gradient of the whole loss, `w (p - onehot) / sum w`, by differences of `sum w CE / sum w` with w held.
    @Test(arguments: losses)
    func theGlobalGradientIsTheSlopeOfTheLoss(loss: LossConfiguration) {
        var generator = SeededGenerator(seed: 21)
        let logits = generator.normals(5 * 7, deviation: 2)
        let targets: [Int32] = [6, 0, -1, 3, 3]
        let result = HeadCase(logits: logits, targets: targets, loss).run()
        let gradient = result.hiddenGradient.doubles.map { $0 * result.sums.globalGradientScale }
        let reference = HeadCase(logits: logits, targets: targets, loss).reference
        let counted = [0, 1, 3, 4].reduce(0) { $0 + reference.weight[$1] }
        #expect(disagreement(gradient, reference.logitGradient.map { $0 / counted }, within: 1e-6) == nil)
        // Step 2^-6: see FusedHeadTests.
        let slope = numericalGradient(at: logits.doubles, step: 0x1p-6) {
            let moved = HeadCase(logits: $0.floats, targets: targets, loss).evaluate().crossEntropy.array.doubles
            return dot(result.weight.doubles, moved) / counted
        }
        #expect(disagreement(gradient, slope, within: 1e-3) == nil)
        let value = dot(reference.weight, reference.crossEntropy) / counted
        #expect(abs(result.sums.normalizedGlobally.loss - value) < 1e-6 * value)
    }

    @Test(arguments: losses)
    func ignoredTargetsCountNowhere(loss: LossConfiguration) {
        var head = HeadCase(66, 20, 100, loss, ignoring: 3)
        let result = head.run()
        let kept = (0..<66).filter { head.targets[$0] >= 0 }
        #expect(kept.count == 44)
        for n in 0..<66 where head.targets[n] < 0 {
            #expect(result.crossEntropy[n] == 0)
            #expect(result.hiddenGradient[(n * 20)..<(n * 20 + 20)].allSatisfy { $0 == 0 })
        }
        let expected = kept.reduce(LossSums()) { $0 + head.part($1..<($1 + 1)).run().sums }
        let sums = result.sums
        #expect(sums.targets == 44 && sums.positions == 66)
        // Matmuls of single rows and of many may differ in their last bits.
        #expect(disagreement(counting(sums), counting(expected), within: 1e-6) == nil)
        // What an ignored position predicts has no influence on anything but the weight of all positions.
        for n in 0..<66 where head.targets[n] < 0 {
            for d in 0..<20 { head.hidden[n * 20 + d] *= -2 }
        }
        let changed = head.run()
        #expect(counting(changed.sums) == counting(sums))
        #expect(bitDifference(changed.hiddenGradient, result.hiddenGradient) == nil)
        #expect(bitDifference(changed.weightGradient, result.weightGradient) == nil)
        if loss.kind == .mile { #expect(changed.sums.weightOfAllPositions != sums.weightOfAllPositions) }
    }

    private func counting(_ sums: LossSums) -> [Double] {
        [sums.weightedCrossEntropy, sums.weight, sums.crossEntropy, sums.entropy, sums.targets]
    }

    @Test func aStepWithoutTargetsIsZero() {
        var head = HeadCase(5, 4, 9)
        head.targets = [Int32](repeating: -1, count: 5)
        let result = head.run()
        let normalized = result.sums.normalizedGlobally
        #expect([normalized.loss, normalized.crossEntropy, normalized.entropy, normalized.alpha] == [0, 0, 0, 0])
        #expect(result.sums.globalGradientScale == 0)
        #expect((result.hiddenGradient + result.weightGradient).allSatisfy { $0 == 0 })
    }

    /// Unnormalised gradients and sums of the parts add up to those of the whole: the normaliser is exact and global.
    @Test(arguments: losses, [[1, 99], [33, 33, 34], [64, 36], [10, 20, 30, 40]])
    func splittingAStepChangesNothing(loss: LossConfiguration, sizes: [Int]) {
        let head = HeadCase(100, 20, 65, loss, ignoring: 9)
        let whole = head.run()
        var (sums, start) = (LossSums(), 0)
        var hiddenGradient: [Float] = []
        let weightGradient = GuardedBuffer(count: 65 * 20)
        for size in sizes {
            let part = head.part(start..<(start + size))
            let (rows, tokens) = (GuardedBuffer(count: size * 20), TokenLosses(count: size))
            let scratch = GuardedBuffer(count: size * 65)
            FusedHead(features: 20, vocabulary: 65).lossAndGradient(
                makePool(), hidden: .fp32(unaligned(part.hidden)), weight: .fp32(unaligned(part.weight)),
                targets: part.targets,
                weighting: loss.tokenWeighting, hiddenGradient: rows.slice, weightGradient: weightGradient.slice,
                adding: start > 0,
                losses: tokens,
                scratch: scratch.slice)
            hiddenGradient += rows.array
            sums = sums + tokens.sums(targets: part.targets)
            start += size
        }
        func gradient(_ values: [Float], _ sums: LossSums) -> [Double] {
            values.doubles.map { $0 * sums.globalGradientScale }
        }
        // The order of float sums over 100 tokens.
        #expect(
            disagreement(gradient(hiddenGradient, sums), gradient(whole.hiddenGradient, whole.sums), within: 1e-6)
                == nil)
        #expect(
            disagreement(gradient(weightGradient.array, sums), gradient(whole.weightGradient, whole.sums), within: 1e-6)
                == nil)
        let (a, b) = (sums.normalizedGlobally, whole.sums.normalizedGlobally)
        #expect(
            disagreement(
                [a.loss, a.crossEntropy, a.entropy, a.alpha], [b.loss, b.crossEntropy, b.entropy, b.alpha],
                within: 1e-6) == nil)
    }

    @Test func sumsTravelAsListsAndNormalize() {
        var sums = LossSums(values: [12, 4, 7, 30, 20, 10, 11])
        #expect(sums.values == [12, 4, 7, 30, 20, 10, 11] && LossSums.valueCount == 7)
        #expect(sums.normalizedGlobally == (sums + LossSums()).normalizedGlobally)
        let normalized = sums.normalizedGlobally
        #expect([normalized.loss, normalized.crossEntropy, normalized.entropy, normalized.alpha] == [3, 3, 2, 2.5])
        #expect(sums.globalGradientScale == 0.25)
        sums = sums + sums
        #expect(sums.values == [24, 8, 14, 60, 40, 20, 22])
    }

    // MARK: - normalization: reference

    /// Logits (t, 0, ..., 0) whose entropy is `entropy`, by bisection in double precision.
    private func logits(entropy: Double, V: Int) -> [Float] {
        var (low, high) = (0.0, 100.0)
        for _ in 0..<100 {
            let t = (low + high) / 2
            let row = [t] + [Double](repeating: 0, count: V - 1)
            let H = ReferenceHead(logits: row, targets: [0], weighting: .crossEntropy).entropy[0]
            if H > entropy { low = t } else { high = t }
        }
        return [Float(low)] + [Float](repeating: 0, count: V - 1)
    }

    /// Two micro-batches with mean weights 2 and 4: alpha = (1/2 + 1/4) / 2 = 0.375, not the 1/3 of the pooled mean. One
    /// position of each micro-batch is ignored and counts in the means all the same.
    @Test func alphaIsTheMeanOfInverseMeans() {
        // With sigma 2, H = 0 gives w = 2. The second micro-batch's H are 2, 1.5 (ignored) and 2.5: w = 4 on average, but 4.25
        // over its targets.
        let loss = LossConfiguration(kind: .mile, gamma: 1, sigma: 2, normalization: .reference)
        let microBatches = [[0, 0, 0], [2, 1.5, 2.5]].map { entropies in
            HeadCase(logits: entropies.flatMap { logits(entropy: $0, V: 16) }, targets: [0, -1, 3], loss).run()
        }
        #expect(microBatches.map { $0.sums.positions } == [3, 3] && microBatches.map { $0.sums.targets } == [2, 2])
        let step = ReferenceAccumulationStep(microBatches: microBatches.map(\.sums))
        #expect(abs(step.alpha - 0.375) < 1e-6)
        #expect(abs(step.alpha - 1.0 / 3) > 0.04)
        // Loss = alpha times the mean over micro-batches of mean(w CE) over all positions; the gradient is scaled alike.
        let meanLoss = (microBatches[0].sums.weightedCrossEntropy + microBatches[1].sums.weightedCrossEntropy) / 6
        #expect(abs(step.loss - step.alpha * meanLoss) < 1e-12 * step.loss)
        #expect(disagreement(step.scales, [0.0625, 0.0625], within: 1e-6) == nil)
    }

    @Test func microBatchesOfDifferentSizesAreMeansOfMeans() {
        // Micro-batch 1: 2 positions, sum w 4, sum w CE 10; micro-batch 2: 8 positions, sum w 4, sum w CE 6; one ignored in each.
        let microBatches = [LossSums(values: [10, 3, 4, 0, 0, 1, 2]), LossSums(values: [6, 3, 4, 0, 0, 7, 8])]
        let step = ReferenceAccumulationStep(microBatches: microBatches)
        let alpha: Double = (0.5 + 2) / 2
        #expect(step.alpha == alpha)
        let meanLoss: Double = (10.0 / 2 + 6.0 / 8) / 2
        #expect(step.loss == alpha * meanLoss)
        #expect(step.scales == [alpha / 4, alpha / 16])
    }

    /// At gamma 0 the reference is CE * N_valid / N.
    @Test(arguments: LossConfiguration.Kind.allCases)
    func atGammaZeroTheReferenceDividesByAllPositions(kind: LossConfiguration.Kind) {
        let head = HeadCase(60, 8, 33, LossConfiguration(kind: kind, gamma: 0, normalization: .reference), ignoring: 4)
        let parts = [0..<20, 20..<40, 40..<60].map { head.part($0).run() }
        let step = ReferenceAccumulationStep(microBatches: parts.map(\.sums))
        let all = parts.map(\.sums).reduce(LossSums(), +)
        #expect(all.targets == 45)
        #expect(step.alpha == 1)
        #expect(abs(step.loss - all.normalizedGlobally.crossEntropy * 45 / 60) < 1e-12)
        // So is its gradient: p - onehot over all positions.
        let expected = head.reference.logitGradient
        let gradient = zip(parts, step.scales).flatMap { part, scale in
            part.hiddenGradient.map { Double($0) * scale }
        }
        let hiddenGradient = Reference.matmul(expected, head.weight.doubles, m: 60, n: 8, k: 33).map { $0 / 60 }
        #expect(disagreement(gradient, hiddenGradient, within: 2e-6) == nil)
    }
}
