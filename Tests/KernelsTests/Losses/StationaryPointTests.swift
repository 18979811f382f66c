// StationaryPointTests - where gradient descent on each loss ends when targets are drawn from a known distribution.

import Foundation
import Kernels
import TestSupport
import Tensors
import Testing

struct StationaryPointTests {
    private static let q = [0.6, 0.2, 0.1, 0.05, 0.05]

    /// Gradient descent on five logits through the head, over the expectation of targets y ~ q: one token per y, its
    /// gradient weighted by q_y.
    private func stationaryPoint(_ loss: LossConfiguration, from start: [Double]) -> [Double] {
        var z = start
        for _ in 0..<1500 {
            let row = z.floats
            let result = HeadCase(logits: row + row + row + row + row, targets: [0, 1, 2, 3, 4], loss).run()
            let mean = dot(Self.q, result.weight.doubles)
            for j in 0..<5 {
                let slope = (0..<5).reduce(0) { $0 + Self.q[$1] * Double(result.hiddenGradient[5 * $1 + j]) }
                z[j] -= slope / mean
            }
        }
        return ReferenceHead(logits: z, targets: [0], weighting: .crossEntropy).probabilities
    }

    /// The weight is the same whatever the target, so that the expected gradient is w (p - q). Tolerance: float
    /// gradients of 6e-8, divided by the smallest curvature, 0.05.
    @Test(arguments: [0, 0.5, 1, 2], [[0, 0, 0, 0, 0], [-2, 3, 0, 1, -1.0]])
    func ofDetachedMiLeIsTheDistributionItself(gamma: Double, start: [Double]) {
        let p = stationaryPoint(LossConfiguration(kind: .mile, gamma: gamma), from: start)
        #expect(maximumError(p, Self.q) < 5e-6)
    }

    /// Focal weights differ between targets and flatten the optimum: p_1 to the three digits of the design.
    @Test(arguments: [(0.5, 0.529), (1, 0.483), (2, 0.425)])
    func ofDetachedFocalIsNot(gamma: Double, first: Double) {
        let p = stationaryPoint(LossConfiguration(kind: .focal, gamma: gamma), from: [0, 0, 0, 0, 0])
        #expect(abs(p[0] - first) < 6e-4)
        // p_j is proportional to q_j (1 - p_j)^gamma: the solution of sum_y q_y w_y (p - onehot(y)) = 0.
        let weighted = zip(p, Self.q).map { $1 * pow(1 - $0, gamma) }
        let total = weighted.reduce(0, +)
        #expect(maximumError(p, weighted.map { $0 / total }) < 5e-6)
        #expect(maximumError(p, Self.q) > 0.05)
    }
}
