// SplitMix64Tests - the published sequence, and the bounds of units and integers.

import Primitives
import Testing

@Suite struct SplitMix64Tests {
    /// The reference implementation's first outputs for seed 1234567 (Vigna, splitmix64.c).
    @Test func givesThePublishedSequence() {
        var generator = SplitMix64(seed: 1_234_567)
        let expected: [UInt64] = [
            6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
        ]
        #expect(expected.map { _ in generator.next() } == expected)
        #expect(SplitMix64.mix(1_234_567 &+ SplitMix64.increment) == expected[0])
    }

    /// Units are the upper 53 bits, bounded integers the upper half of the product.
    @Test func unitsAndIntegersFollowFromTheSequence() {
        var unit = SplitMix64(seed: 1_234_567)
        #expect(unit.nextUnit() == Double(6_457_827_717_110_365_317 >> 11) / 9_007_199_254_740_992)
        // 1000 x 6457827717110365317 / 2^64 = 350.08
        var integer = SplitMix64(seed: 1_234_567)
        #expect(integer.next(below: 1000) == 350)
    }

    @Test func unitsAndBoundedIntegersStayInside() {
        var generator = SplitMix64(seed: 1)
        var counts = [Int](repeating: 0, count: 7)
        for _ in 0..<7000 {
            let unit = generator.nextUnit()
            #expect(unit >= 0 && unit < 1)
            counts[generator.next(below: 7)] += 1
        }
        // 1000 expected, standard deviation 29: within five of them.
        #expect(counts.allSatisfy { abs($0 - 1000) < 146 })
    }
}
