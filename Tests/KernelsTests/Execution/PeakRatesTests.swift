// PeakRatesTests - the loops behind peak rates really compute all their operations.

import Kernels
import Testing

@Suite struct PeakRatesTests {
    /// Every lane of every chain is `s = s f + a`, which starts at a. After n rounds it is a (1 - f^(n + 1)) / (1 - f).
    @Test(arguments: [1, 1000, 100_000]) func multiplyAddsAreAllThere(rounds: Int) {
        let pool = makePool(2)
        let lanes = pool.operations(ofMultiplyAddRounds: 1) / 2 / 2
        let f = Double(Float(0.999_999))
        var power = f
        for _ in 0..<rounds { power *= f }
        // Threads add 1e-6 and 2e-6.
        let expected = 3e-6 * lanes * (1 - power) / (1 - f)
        // Each rounding is 6e-8 relative. At worst, near the fixed point, some n roundings have one direction.
        #expect(abs(Double(pool.fusedMultiplyAdds(rounds: rounds)) / expected - 1) < 0.01)
    }

    /// Every operation adds half of a product of 1 and 2^-23.
    @Test(.enabled(if: ThreadPool.hasBFloat16Dot, "this processor has no instruction for bf16 dot products"))
    func dotProductsAreAllThere() {
        let pool = makePool(2)
        for rounds in [1, 1000, 200_000] {
            let expected = pool.operations(ofDotRounds: rounds) * 0x1p-24
            // Chains are exact. The addition of a thousand equal sums in fp32 rounds by 6e-8 each at worst.
            #expect(abs(Double(pool.bfloat16Dots(rounds: rounds)) / expected - 1) < 1e-4)
        }
    }
}
