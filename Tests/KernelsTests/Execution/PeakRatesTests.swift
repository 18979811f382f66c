// PeakRatesTests - what is timed as a peak rate is really computed.

import Kernels
import Testing

@Suite struct PeakRatesTests {
    /// Every lane of every chain is `s = s f + a`, from a; so after n rounds a (1 - f^(n + 1)) / (1 - f).
    @Test(arguments: [1, 1000, 100_000]) func multiplyAddsAreAllThere(rounds: Int) {
        let pool = makePool(2)
        let lanes = pool.operations(ofMultiplyAddRounds: 1) / 2 / 2
        let f = Double(Float(0.999_999))
        var power = f
        for _ in 0..<rounds { power *= f }
        // Threads add 1e-6 and 2e-6.
        let expected = 3e-6 * lanes * (1 - power) / (1 - f)
        // Each of the roundings is 6e-8 relative, some n of them in the same direction at worst near the fixed point.
        #expect(abs(Double(pool.fusedMultiplyAdds(rounds: rounds)) / expected - 1) < 0.01)
    }

    /// Every operation adds half of a product of 1 and 2^-23.
    @Test(.enabled(if: ThreadPool.hasBFloat16Dot, "this processor has no instruction for bf16 dot products"))
    func dotProductsAreAllThere() {
        let pool = makePool(2)
        for rounds in [1, 1000, 200_000] {
            let expected = pool.operations(ofDotRounds: rounds) * 0x1p-24
            // Chains are exact; adding up a thousand equal sums in fp32 rounds by 6e-8 each at worst.
            #expect(abs(Double(pool.bfloat16Dots(rounds: rounds)) / expected - 1) < 1e-4)
        }
    }
}
