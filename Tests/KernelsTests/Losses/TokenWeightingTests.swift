// TokenWeightingTests - token weights, their entropy, and their limits.

import Foundation
import Kernels
import TestSupport
import Testing

struct TokenWeightingTests {
    @Test func formulas() {
        let mile = LossConfiguration(kind: .mile, gamma: 2, sigma: 0.5)
        #expect(abs(mile.tokenWeighting.weight(TokenPrediction(entropy: 1.5, crossEntropy: 9)) - 4) < 1e-15)
        // Rounding can make an entropy of 0 negative; the weight stays that of 0.
        #expect(abs(mile.tokenWeighting.weight(TokenPrediction(entropy: -1e-9, crossEntropy: 9)) - 0.25) < 1e-15)
        let focal = LossConfiguration(kind: .focal, gamma: 2)
        #expect(abs(focal.tokenWeighting.weight(TokenPrediction(entropy: 9, crossEntropy: log(4))) - 0.5625) < 1e-15)
        // p = 1 - 1e-12, where a plain 1 - e^-CE loses four digits.
        #expect(
            abs(
                LossConfiguration(kind: .focal).tokenWeighting.weight(TokenPrediction(entropy: 0, crossEntropy: 1e-12))
                    / 1e-12 - 1) < 1e-11)
        #expect(
            LossConfiguration(kind: .crossEntropy, gamma: 3).tokenWeighting.weight(
                TokenPrediction(entropy: 2, crossEntropy: 2)) == 1)
        #expect(
            LossConfiguration(kind: .mile).tokenWeighting.weight(TokenPrediction(entropy: .nan, crossEntropy: 1)).isNaN)
        #expect(
            LossConfiguration(kind: .focal).tokenWeighting.weight(TokenPrediction(entropy: 1, crossEntropy: .nan)).isNaN
        )
    }

    /// Every kind but the baseline of the comparison.
    @Test(arguments: LossConfiguration.Kind.allCases.filter { $0 != .crossEntropy })
    func gammaZeroIsCrossEntropyToTheBit(kind: LossConfiguration.Kind) {
        var head = HeadCase(70, 20, 257, LossConfiguration(kind: .crossEntropy), ignoring: 6)
        let plain = head.run(adding: true)
        head.loss = LossConfiguration(kind: kind, gamma: 0)
        let result = head.run(adding: true)
        #expect(bitDifference(result.everything, plain.everything) == nil)
        #expect(result.sums == plain.sums)
        #expect(result.sums.normalizedGlobally.loss == result.sums.normalizedGlobally.crossEntropy)
        // Negative control: the comparison notices a weight.
        head.loss.gamma = 1e-3
        #expect(bitDifference(head.run(adding: true).everything, plain.everything) != nil)
    }

    /// Equal logits, of any size: H = CE = ln V and w = (1 + ln V)^gamma.
    @Test(arguments: [1, 2, 5, 16, 17, 257, 32_000], [Float(0), -3, 1e4])
    func uniformLogitsHaveEntropyLnV(V: Int, logit: Float) {
        var head = HeadCase(2, 1, V, LossConfiguration(kind: .mile, gamma: 1.5))
        head.hidden = [logit, logit]
        head.weight = [Float](repeating: 1, count: V)
        let result = head.run()
        let lnV = log(Double(V))
        // One rounding of the result; sums of equal powers of two are exact.
        #expect(maximumError(result.entropy.doubles, [lnV, lnV]) <= lnV * 0x1p-24)
        #expect(maximumError(result.crossEntropy.doubles, [lnV, lnV]) <= lnV * 0x1p-24)
        let weight = pow(1 + lnV, 1.5)
        #expect(maximumError(result.weight.doubles, [weight, weight]) <= weight * 0x1p-23)
    }

    /// The authors clamp probabilities to 1e-8 without renormalising: a certain prediction over 32000 words gains
    /// 31999 * 1e-8 * ln 1e8 = 0.0059 nat.
    @Test func theProbabilityFloorAddsWhatItMust() {
        var head = HeadCase(1, 1, 32_000, LossConfiguration(kind: .mile, gamma: 1, probabilityFloor: 1e-8))
        head.hidden = [60]
        head.weight = [1] + [Float](repeating: 0, count: 31_999)
        head.targets = [0]
        let result = head.run()
        let added = 31_999 * 1e-8 * log(1e8)
        // 2000 additions per lane of numbers near 0.0059 / 16.
        #expect(abs(Double(result.entropy[0]) - added) < 1e-4 * added)
        #expect(abs(added - 0.0059) < 1e-5)
        #expect(abs(Double(result.weight[0]) - (1 + added)) < 1e-6)
        head.loss.probabilityFloor = 0
        #expect(abs(head.run().entropy[0]) < 1e-6)
    }
}
