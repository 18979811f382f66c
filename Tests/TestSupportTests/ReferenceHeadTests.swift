// ReferenceHeadTests - the reference of the loss against numbers worked out by hand and finite differences.

import TestSupport
import Testing

struct ReferenceHeadTests {
    /// p = (1/2, 1/4, 1/4): H = 1.5 ln 2.
    private let logits = [0.6931471805599453, 0, 0]
    private let ln2 = 0.6931471805599453

    @Test func statisticsOfAKnownDistribution() {
        let head = ReferenceHead(logits: logits, targets: [1], weighting: .mile(gamma: 2, sigma: 1))
        let w = (1 + 1.5 * ln2) * (1 + 1.5 * ln2)
        #expect(disagreement(head.probabilities, [0.5, 0.25, 0.25], within: 1e-15) == nil)
        #expect(
            disagreement(head.crossEntropy + head.entropy + head.weight, [2 * ln2, 1.5 * ln2, w], within: 1e-15) == nil)
        #expect(disagreement(head.logitGradient, [0.5 * w, -0.75 * w, 0.25 * w], within: 1e-15) == nil)
        let focal = ReferenceHead(logits: logits, targets: [1], weighting: .focal(gamma: 2))
        #expect(disagreement(focal.weight, [0.5625], within: 1e-15) == nil)
        #expect(ReferenceHead(logits: logits, targets: [1], weighting: .crossEntropy).weight == [1])
    }

    @Test func ignoredTargetsHaveNoLossAndNoGradient() {
        let head = ReferenceHead(logits: logits, targets: [-1], weighting: .mile(gamma: 1, sigma: 1))
        #expect(head.crossEntropy == [0] && head.logitGradient == [0, 0, 0])
        #expect(abs(head.entropy[0] - 1.5 * ln2) < 1e-15)
    }

    /// With a floor of 0.3 both quarters count as 0.3: H = 0.5 ln 2 - 0.6 ln 0.3.
    @Test func theFloorBoundsProbabilitiesInsideTheEntropyOnly() {
        let head = ReferenceHead(logits: logits, targets: [1], weighting: .crossEntropy, probabilityFloor: 0.3)
        #expect(abs(head.entropy[0] - (0.5 * ln2 + 0.6 * 1.2039728043259361)) < 1e-15)
        #expect(abs(head.crossEntropy[0] - 2 * ln2) < 1e-15)
    }

    @Test(arguments: [ReferenceWeight.mile(gamma: 0.7, sigma: 1.3), .focal(gamma: 2), .crossEntropy])
    func theGradientIsThatOfTheLossWithItsWeightsHeld(weighting: ReferenceWeight) {
        var generator = SeededGenerator(seed: 12)
        let logits = generator.normals(12, deviation: 2).doubles
        let targets: [Int32] = [3, -1, 0]
        let head = ReferenceHead(logits: logits, targets: targets, weighting: weighting)
        let expected = numericalGradient(at: logits) {
            dot(head.weight, ReferenceHead(logits: $0, targets: targets, weighting: weighting).crossEntropy)
        }
        #expect(disagreement(head.logitGradient, expected, within: 1e-8) == nil)
    }
}
