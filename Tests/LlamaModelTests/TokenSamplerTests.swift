// TokenSamplerTests - greedy choice, truncation, seeds, and frequencies against the probabilities.

import Foundation
import LlamaModel
import Testing

struct TokenSamplerTests {
    /// Probabilities .1, .4, .05, .3, .15.
    private let probabilities = [0.1, 0.4, 0.05, 0.3, 0.15]
    private var logits: [Float] { probabilities.map { Float(log($0) + 3) } }

    /// Number of occurrences of each token in `draws` draws.
    private func counts(_ sampler: TokenSampler, _ logits: [Float], draws: Int = 20_000) -> [Int] {
        var sampler = sampler
        var counts = [Int](repeating: 0, count: logits.count)
        for _ in 0..<draws { counts[Int(sampler.next(logits))] += 1 }
        return counts
    }

    /// Each count lies within five deviations of a binomial around what `probabilities` say; 0 means never.
    private func expectFrequencies(_ counts: [Int], _ probabilities: [Double], _ comment: Comment = "") {
        let draws = Double(counts.reduce(0, +))
        for (count, p) in zip(counts, probabilities) {
            #expect(abs(Double(count) - p * draws) <= 5 * (draws * p * (1 - p)).squareRoot(), comment)
        }
    }

    @Test func temperatureZeroAndTopOneAreGreedy() {
        for seed in 0..<20 as Range<UInt64> {
            var cold = TokenSampler(temperature: 0, topK: 3, topP: 0.5, seed: seed)
            var single = TokenSampler(temperature: 5, topK: 1, seed: seed)
            var nucleus = TokenSampler(temperature: 1, topP: 0.3, seed: seed)
            #expect(cold.next(logits) == 1 && single.next(logits) == 1 && nucleus.next(logits) == 1)
        }
    }

    @Test func tiesGoToTheSmallerToken() {
        var greedy = TokenSampler(temperature: 0)
        #expect(greedy.next([0, 2, 1, 2]) == 1)
        #expect(greedy.next([Float](repeating: -3, count: 9)) == 0)
        expectFrequencies(counts(TokenSampler(topK: 2), [1, 2, 1, 1]), [1 / (1 + M_E), M_E / (1 + M_E), 0, 0])
        #expect(greedy.next([-.infinity, -.infinity, -1]) == 2)
    }

    @Test func frequenciesAreTheProbabilities() {
        expectFrequencies(counts(TokenSampler(seed: 1), logits), probabilities)
        // p^(1/T), renormalised.
        for temperature in [0.5, 2] {
            let powers = probabilities.map { pow($0, 1 / temperature) }
            let total = powers.reduce(0, +)
            expectFrequencies(counts(TokenSampler(temperature: temperature), logits), powers.map { $0 / total })
        }
    }

    @Test func topKKeepsTheKMostProbable() {
        expectFrequencies(counts(TokenSampler(topK: 2), logits), [0, 0.4 / 0.7, 0, 0.3 / 0.7, 0])
        // A top-k above the vocabulary, or 0, keeps all tokens.
        for k in [0, 5, 99] { expectFrequencies(counts(TokenSampler(topK: k, seed: 4), logits), probabilities) }
    }

    @Test func topPKeepsTheSmallestSetThatReachesIt() {
        expectFrequencies(counts(TokenSampler(topP: 0.69), logits), [0, 0.4 / 0.7, 0, 0.3 / 0.7, 0])
        expectFrequencies(
            counts(TokenSampler(topP: 0.71), logits), [0, 0.4 / 0.85, 0, 0.3 / 0.85, 0.15 / 0.85])
        expectFrequencies(counts(TokenSampler(topP: 0), logits), [0, 1, 0, 0, 0])
        // Top-p counts the tokens that top-k has left: .4 / .85 alone does not reach .5; with .3 it does.
        expectFrequencies(counts(TokenSampler(topK: 3, topP: 0.5), logits), [0, 0.4 / 0.7, 0, 0.3 / 0.7, 0])
        // At temperature 1/2 the first token has .16 / .275 = .58 of the mass.
        expectFrequencies(counts(TokenSampler(temperature: 0.5, topP: 0.55), logits), [0, 1, 0, 0, 0])
    }

    @Test func theSeedDecides() {
        func draw(_ seed: UInt64) -> [Int32] {
            var sampler = TokenSampler(seed: seed)
            return (0..<50).map { _ in sampler.next(logits) }
        }
        #expect(draw(9) == draw(9))
        #expect(Set((0..<10).map { draw($0) }).count == 10)
    }

    @Test func extremeLogitsDoNotOverflow() {
        var sampler = TokenSampler(temperature: 1e-3)
        #expect(sampler.next([3e38, -3e38, 0]) == 0)
        #expect(sampler.next([-3e38, -3.1e38]) == 0)
    }
}
