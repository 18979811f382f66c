// FusedHeadTests - the fused projection and loss against a reference with all logits in memory.

import Foundation
import Kernels
import TestSupport
import Tensors
import Testing

struct FusedHeadTests {
    private func expectReference(_ head: HeadCase, pool: ThreadPool, adding: Bool) {
        let result = head.run(pool, adding: adding)
        let expected = head.reference
        let note = Comment(rawValue: head.testDescription)
        // Logits carry sqrt(D) roundings of 2^-24, which the exponential turns into relative errors of the
        // probabilities.
        #expect(disagreement(result.crossEntropy, expected.crossEntropy, within: 1e-6) == nil, note)
        #expect(disagreement(result.entropy, expected.entropy, within: 1e-6) == nil, note)
        #expect(disagreement(result.weight, expected.weight, within: 2e-6) == nil, note)
        let hiddenGradient = Reference.matmul(
            expected.logitGradient, head.weight.doubles, m: head.N, n: head.D, k: head.V)
        #expect(disagreement(result.hiddenGradient, hiddenGradient, within: 3e-6) == nil, note)
        let weightGradient = Reference.matmul(
            expected.logitGradient, head.hidden.doubles, m: head.V, n: head.D, k: head.N, aTransposed: true)
        let total = zip(weightGradient, head.initial).map { $0 + (adding ? Double($1) : 0) }
        #expect(disagreement(result.weightGradient, total, within: 3e-6) == nil, note)
    }

    @Test(arguments: losses)
    func everyLossEqualsTheDefinition(loss: LossConfiguration) {
        for (N, D, V) in [(1, 1, 2), (9, 20, 33), (70, 48, 257)] {
            for adding in [false, true] {
                expectReference(HeadCase(N, D, V, loss, ignoring: 4), pool: makePool(2), adding: adding)
            }
        }
    }

    /// A chunk holds 1024 tokens of a small vocabulary. The cases are one chunk, one and a rest, two and a single
    /// token.
    @Test(arguments: [(1024, 8, 40), (1100, 20, 100), (2049, 5, 17)], [false, true])
    func chunksJoin(size: (N: Int, D: Int, V: Int), adding: Bool) {
        #expect(FusedHead(features: size.D, vocabulary: size.V).chunkTokens == 1024)
        let head = HeadCase(size.N, size.D, size.V, LossConfiguration(gamma: 1.5), ignoring: 7)
        expectReference(head, pool: makePool(2), adding: adding)
    }

    /// A large vocabulary makes chunks small; checked at the tokens beside the seams.
    @Test func chunksOfALargeVocabulary() {
        #expect(FusedHead(features: 1, vocabulary: 40_000).chunkTokens == 384)
        #expect(FusedHead(features: 1, vocabulary: 1_000_000).chunkTokens == 64)
        let head = HeadCase(800, 4, 40_000)
        let result = head.run(makePool(2))
        for n in [0, 383, 384, 767, 768, 799] {
            let token = head.part(n..<(n + 1))
            let expected = token.reference
            let row = Reference.matmul(expected.logitGradient, head.weight.doubles, m: 1, n: 4, k: 40_000)
            #expect(disagreement(Array(result.hiddenGradient[(4 * n)..<(4 * n + 4)]), row, within: 1e-5) == nil)
            let actual = [result.crossEntropy[n], result.entropy[n], result.weight[n]]
            let values = [expected.crossEntropy[0], expected.entropy[0], expected.weight[0]]
            #expect(disagreement(actual, values, within: 2e-6) == nil)
        }
        // One pass equals passes over its chunks that add up their weight gradients.
        let parts = [0..<384, 384..<768, 768..<800].map { head.part($0).run().weightGradient.doubles }
        let sum = parts[0].indices.map { parts[0][$0] + parts[1][$0] + parts[2][$0] }
        #expect(disagreement(result.weightGradient, sum, within: 1e-6) == nil)
    }

    @Test(arguments: losses)
    func evaluationGivesTheSameLosses(loss: LossConfiguration) {
        let head = HeadCase(70, 20, 257, loss, ignoring: 5)
        let (trained, evaluated) = (head.run(), head.evaluate())
        #expect(bitDifference(evaluated.crossEntropy.array, trained.crossEntropy) == nil)
        #expect(bitDifference(evaluated.entropy.array, trained.entropy) == nil)
        #expect(bitDifference(evaluated.weight.array, trained.weight) == nil)
        let sums = evaluated.prefix(9).sums(targets: Array(head.targets[..<9]))
        let counted = (0..<9).filter { head.targets[$0] >= 0 }
        #expect(sums.positions == 9 && sums.targets == Double(counted.count))
        #expect(sums.weight == counted.reduce(0) { $0 + Double(trained.weight[$1]) })
        #expect(sums.entropy == counted.reduce(0) { $0 + Double(trained.entropy[$1]) })
        #expect(sums.weightOfAllPositions == (0..<9).reduce(0) { $0 + Double(trained.weight[$1]) })
    }

    /// Every other target is the most likely token by the reference's probabilities.
    @Test(arguments: losses)
    func confidenceAndCorrectnessEqualTheDefinition(loss: LossConfiguration) {
        for (N, D, V) in [(3, 1, 2), (20, 20, 33), (1100, 8, 40)] {
            var head = HeadCase(N, D, V, loss)
            let p = head.reference.probabilities
            let tops = (0..<N).map { n in (0..<V).reduce(0) { p[n * V + $1] > p[n * V + $0] ? $1 : $0 } }
            for n in stride(from: 0, to: N, by: 2) { head.targets[n] = Int32(tops[n]) }
            head.targets[N - 1] = -1
            let result = head.evaluate(makePool(2))
            let expected = (0..<N).map { p[$0 * V + tops[$0]] }
            // Tolerance: roundings of the logits become relative errors of the probabilities.
            #expect(disagreement(result.confidence.array, expected, within: 2e-6) == nil)
            let isCorrect = (0..<N).map { Int(head.targets[$0]) == tops[$0] }
            #expect(result.isCorrect.array == isCorrect.map { $0 ? 1 : 0 })
            #expect(Set(isCorrect) == [true, false])
        }
    }

    /// Among equal logits the lowest id is the prediction, in whole vectors and in the remainder of a row.
    @Test(arguments: [(0, 19), (3, 9), (3, 18), (15, 16), (16, 17), (18, 19)])
    func ofEqualLogitsTheLowestIdIsThePrediction(tops: (Int, Int)) {
        let row = (0..<20).map { Float($0 == tops.0 || $0 == tops.1 ? 3 : -1) }
        let logits = row + row + row
        let other = (0..<20).first { $0 != tops.0 && $0 != tops.1 } ?? 0
        let targets = [tops.0, tops.1, other].map(Int32.init)
        let result = HeadCase(logits: logits, targets: targets, LossConfiguration()).evaluate()
        #expect(result.isCorrect.array == [1, 0, 0])
        let expected = exp(3.0) / (2 * exp(3) + 18 * exp(-1))
        #expect(disagreement(result.confidence.array, [expected, expected, expected], within: 1e-6) == nil)
    }

    /// Differences of the cross-entropies that the kernel itself reports, each weighted by the weight at the centre.
    /// Step 2^-6 leaves h^2 / 6 = 4e-5 and the rounding of a float CE of about 4, 2^-23 / 2h = 4e-6.
    @Test(arguments: losses)
    func theGradientIsTheSlopeWithWeightsHeld(loss: LossConfiguration) {
        var head = HeadCase(4, 3, 11, loss, ignoring: 3)
        let result = head.run()
        let center = head
        func value() -> Double { dot(result.weight.doubles, head.evaluate().crossEntropy.array.doubles) }
        let hiddenSlope = numericalGradient(at: center.hidden.doubles, step: 0x1p-6) {
            head.hidden = $0.floats
            return value()
        }
        head.hidden = center.hidden
        let weightSlope = numericalGradient(at: center.weight.doubles, step: 0x1p-6) {
            head.weight = $0.floats
            return value()
        }
        #expect(disagreement(result.hiddenGradient, hiddenSlope, within: 1e-3) == nil)
        #expect(disagreement(result.weightGradient, weightSlope, within: 1e-3) == nil)
    }

    @Test func confidentAndWrongPredictionsStayExact() {
        // Logits 0, 200 and -200: far beyond where a float exponential ends.
        let loss = LossConfiguration(kind: .mile, gamma: 1)
        let result = HeadCase(logits: [0, 200, -200, 0, 200, -200], targets: [2, 1], loss).run()
        #expect(result.crossEntropy == [400, 0] && result.entropy == [0, 0] && result.weight == [1, 1])
        #expect(result.hiddenGradient == [0, 1, -1, 0, 0, 0])
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity], [0, 1e-8])
    func whatIsNotFiniteShows(bad: Float, floor: Double) {
        var head = HeadCase(3, 2, 20, LossConfiguration(probabilityFloor: floor))
        head.hidden[2] = bad
        let result = head.run()
        #expect(!result.sums.weightedCrossEntropy.isFinite)
        #expect(!result.hiddenGradient[2].isFinite && result.hiddenGradient[0].isFinite)
    }

    @Test func noTokensHaveNoGradient() {
        let head = HeadCase(0, 3, 5)
        #expect(head.run().weightGradient == [Float](repeating: 0, count: 15))
        #expect(head.run(adding: true).weightGradient == head.initial)
    }

    @Test func targetsOutsideOfTheVocabularyTrap() async {
        await #expect(processExitsWith: .failure) {
            _ = HeadCase(logits: [0, 0], targets: [2], LossConfiguration()).run()
        }
    }
}
