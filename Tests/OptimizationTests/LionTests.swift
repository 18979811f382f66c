// LionTests - updates against a naive double-precision Lion, and against closed forms.

import Kernels
import Optimization
import TestSupport
import Tensors
import Testing

struct LionTests {
    /// Runs `gradients` through the rule from zero momentum; returns parameters and momentum.
    private func run(
        _ settings: OptimizerConfiguration, _ start: [Float], _ gradients: [[Float]], scale: Double, decays: Bool,
        threads: Int = 1
    ) -> (p: [Float], m: [Float]) {
        let (p, m) = (GuardedBuffer(start), GuardedBuffer([Float](repeating: 0, count: start.count)))
        for (index, g) in gradients.enumerated() {
            let gradient = GuardedBuffer(g)
            let rule = settings.makeUpdate(learningRate: 0.01, number: index + 1, gradientScale: scale)
            rule.apply(
                makePool(threads), parameters: p.slice, gradient: gradient.slice, state: [m.slice], rounded: nil,
                decays: decays)
            #expect(p.isIntact && m.isIntact && gradient.isIntact)
        }
        return (p.array, m.array)
    }

    @Test(arguments: [1, 15, 16, 17, 1000, 33_001], [false, true])
    func equalsTheNaiveVersion(count: Int, decays: Bool) {
        var generator = SeededGenerator(seed: UInt64(count))
        let start = generator.normals(count)
        let gradients = (0..<6).map { _ in generator.normals(count) }
        let settings = OptimizerConfiguration(kind: .lion, beta1: 0.8, beta2: 0.97, weightDecay: 0.3)
        var (p, m) = (start.doubles, [Double](repeating: 0, count: count))
        /// A direction within rounding of 0 may have either sign in fp32: such elements are left out.
        var isNearZero = [Bool](repeating: false, count: count)
        for g in gradients {
            for i in 0..<count {
                let scaled = Double(g[i]) * 0.25
                let direction = settings.beta1 * m[i] + (1 - settings.beta1) * scaled
                if abs(direction) < 1e-6 { isNearZero[i] = true }
                p[i] -=
                    0.01 * ((direction > 0 ? 1 : direction < 0 ? -1 : 0) + (decays ? settings.weightDecay * p[i] : 0))
                m[i] = settings.beta2 * m[i] + (1 - settings.beta2) * scaled
            }
        }
        let actual = run(settings, start, gradients, scale: 0.25, decays: decays)
        let kept = (0..<count).filter { !isNearZero[$0] }
        #expect(kept.count >= count - count / 1000)
        // A few roundings (6e-8) per update of each buffer.
        #expect(disagreement(kept.map { actual.p[$0] }, kept.map { p[$0] }, within: 5e-7) == nil)
        #expect(disagreement(actual.m, m, within: 5e-7) == nil)
        #expect(
            bitDifference(run(settings, start, gradients, scale: 0.25, decays: decays, threads: 3).p, actual.p) == nil)
    }

    /// The first update moves by the learning rate against the sign, whatever the size; without a gradient nothing moves.
    @Test(arguments: [Float(1e-6), 1, 1e6])
    func theFirstUpdateIsTheLearningRate(size: Float) {
        let settings = OptimizerConfiguration(kind: .lion, beta1: 0.9, beta2: 0.75, weightDecay: 0)
        let (p, m) = run(settings, [1, 1, 1], [[size, -size, 0]], scale: 1, decays: true)
        #expect(disagreement(p, [0.99, 1.01, 1], within: 1e-6) == nil)
        #expect(m == [size * 0.25, -size * 0.25, 0])
    }

    @Test func keepsOneTensor() {
        let settings = OptimizerConfiguration(kind: .lion)
        #expect(settings.stateTensors == ["first_moment"])
        #expect(settings.savedBytesPerParameter == 8 && OptimizerConfiguration().savedBytesPerParameter == 12)
        // Gradient, parameter and momentum are read, the last two written.
        #expect(settings.kind.rule.bytesPerParameter == 20 && AdamW.bytesPerParameter == 28)
    }
}
