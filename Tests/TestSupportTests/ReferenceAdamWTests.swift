// ReferenceAdamWTests - the reference's first update in closed form, and digests of bits.

import TestSupport
import Testing

struct ReferenceAdamWTests {
    /// In the first update both means are corrected to the gradient and its square: `p - rate g / (|g| + epsilon)`.
    @Test func firstUpdateIsTheSign() {
        let settings = ReferenceAdamW.Settings(beta1: 0.9, beta2: 0.99, epsilon: 0.5, weightDecay: 0.25)
        var adam = ReferenceAdamW(settings, parameters: [8, 8, -4], decays: [true, false, false])
        adam.update([2, 2, -1.5], learningRate: 0.5)
        // Decay by rate times 0.25 first, then 0.5 * 2 / 2.5 and 0.5 * 1.5 / 2. Tolerance: a few roundings.
        #expect(disagreement(adam.parameters, [8 - 1 - 0.4, 8 - 0.4, -4 + 0.375], within: 1e-14) == nil)
        #expect(disagreement(adam.firstMoment, [0.2, 0.2, -0.15], within: 1e-14) == nil)
        #expect(disagreement(adam.secondMoment, [0.04, 0.04, 0.0225], within: 1e-14) == nil)
    }

    @Test func digestsTellEveryBitAndTheOrder() {
        let digest = bitDigest([1, 2, 3])
        #expect(bitDigest([1, 2, 3]) == digest)
        #expect(bitDigest([1, 2, Float(3).nextUp]) != digest)
        #expect(bitDigest([2, 1, 3]) != digest)
        #expect(bitDigest([0]) != bitDigest([-0.0]))
        var sums = [0.5, 1]
        add([2, 3], to: &sums)
        #expect(sums == [2.5, 4])
    }
}
