// SeededGeneratorTests - the generator's published values and its distributions.

import TestSupport
import Testing

struct SeededGeneratorTests {
    /// The reference implementation's first outputs for seed 1234567 (Vigna, splitmix64.c; also Rosetta Code's check).
    @Test func givesThePublishedSequence() {
        var generator = SeededGenerator(seed: 1_234_567)
        let values = (0..<5).map { _ in generator.next() }
        #expect(
            values == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
            ])
    }

    @Test func normalsHaveTheirMoments() {
        var generator = SeededGenerator(seed: 3)
        let values = generator.normals(100_000, deviation: 2).doubles
        let mean = values.reduce(0, +) / 1e5
        let variance = values.reduce(0) { $0 + $1 * $1 } / 1e5
        let fourth = values.reduce(0) { $0 + $1 * $1 * $1 * $1 } / 1e5
        // Five deviations of each estimator: 2 / sqrt(1e5), 4 sqrt(2 / 1e5), 16 sqrt(96 / 1e5).
        #expect(abs(mean) < 0.032)
        #expect(abs(variance - 4) < 0.09)
        #expect(abs(fourth - 48) < 2.5)
    }

    @Test func uniformsAndIntegersFillTheirRange() {
        var generator = SeededGenerator(seed: 4)
        let values = generator.uniforms(10_000, in: -3 ... -1)
        #expect(values.allSatisfy { $0 >= -3 && $0 <= -1 })
        #expect(values.contains { $0 < -2.99 } && values.contains { $0 > -1.01 })
        #expect(Set(generator.integers(1000, below: 7)) == Set(0..<7))
    }
}
