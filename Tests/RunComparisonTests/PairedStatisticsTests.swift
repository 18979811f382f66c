// PairedStatisticsTests - statistics and conclusions of examples that are computed by hand.

import Testing

@testable import RunComparison

@Suite struct PairedStatisticsTests {
    private func statistics(_ differences: [Double], confidence: Double = 0.95) -> PairedStatistics {
        // The baseline differs from pair to pair and must not matter. Sums of quarters are exact.
        let baseline = differences.indices.map { Double($0) * 8 }
        return PairedStatistics(
            arm: zip(differences, baseline).map { $0 + $1 }, baseline: baseline,
            demands: .init(confidence: confidence))
    }

    /// The conclusion of a single test, whose p needs no correction.
    private func conclusion(_ result: PairedStatistics) -> Conclusion {
        result.conclusion(adjustedProbability: result.spread?.probability)
    }

    @Test func differencesOneToFive() throws {
        let result = statistics([1, 2, 3, 4, 5])
        #expect(result.pairs == 5)
        #expect(result.meanDifference == 3)
        let spread = try #require(result.spread)
        // s^2 = 10 / 4, s / sqrt(5) = sqrt(1 / 2), t = 3 sqrt(2).
        #expect(abs(spread.standardDeviation - 2.5.squareRoot()) < 1e-15)
        #expect(abs(spread.standardError - 0.5.squareRoot()) < 1e-15)
        #expect(abs(spread.t - 18.squareRoot()) < 1e-14)
        // p = 1 - t (6 + t^2) / (4 + t^2)^1.5 with t^2 = 18.
        #expect(abs(spread.probability - (1 - 18.squareRoot() * 24 / (22 * 22.squareRoot()))) < 1e-14)
        // Quantiles 2.7764451 and 0.9409646 from a table of seven decimals.
        #expect(abs(spread.interval.lowerBound - (3 - 2.7764451 * 0.5.squareRoot())) < 1e-7)
        #expect(abs(spread.interval.upperBound - (3 + 2.7764451 * 0.5.squareRoot())) < 1e-7)
        #expect(abs(spread.minimumDetectableDifference - (2.7764451 + 0.9409646) * 0.5.squareRoot()) < 1e-7)
        #expect(conclusion(result) == .worse)
        #expect(conclusion(statistics([-1, -2, -3, -4, -5])) == .better)
    }

    @Test func noConclusionBelowTheDetectableDifference() throws {
        // The same spread around 2.25: the interval, 2.25 +- 1.96, excludes 0, but 2.63 would be detectable.
        let result = statistics([0.25, 1.25, 2.25, 3.25, 4.25])
        let spread = try #require(result.spread)
        #expect(spread.interval.lowerBound > 0)
        #expect(spread.probability < 0.05)
        #expect(spread.minimumDetectableDifference > 2.25)
        #expect(conclusion(result) == .noConclusion)
        #expect(conclusion(statistics([-0.25, -1.25, -2.25, -3.25, -4.25])) == .noConclusion)
        #expect(conclusion(statistics([-2, -1, 0, 1, 2])) == .noConclusion)
    }

    /// The conclusion from one difference, by its adjusted p: at most the level, above it, or nil.
    @Test(arguments: [
        (Double?(0), Conclusion.worse, Conclusion.better), (0.049, .worse, .better),
        (0.051, .suggestsWorse, .suggestsBetter),
        (1, .suggestsWorse, .suggestsBetter), (Double?.none, .suggestsWorse, .suggestsBetter),
    ])
    func whatHolmDoesNotConfirmIsASuggestion(_ adjusted: Double?, _ above: Conclusion, _ below: Conclusion) {
        #expect(statistics([1, 2, 3, 4, 5]).conclusion(adjustedProbability: adjusted) == above)
        #expect(statistics([-1, -2, -3, -4, -5]).conclusion(adjustedProbability: adjusted) == below)
        // A difference below the detectable one allows no conclusion, whatever its p.
        #expect(statistics([0.25, 1.25, 2.25, 3.25, 4.25]).conclusion(adjustedProbability: adjusted) == .noConclusion)
    }

    @Test func theLevelIsThatOfTheConfidence() {
        // With the spread of 1, ..., 5 the detectable difference at 0.999 is (8.61 + 0.94) sqrt(1 / 2) = 6.75.
        let result = statistics([14.5, 15.5, 16.5, 17.5, 18.5], confidence: 0.999)
        #expect(result.conclusion(adjustedProbability: 0.0009) == .worse)
        #expect(result.conclusion(adjustedProbability: 0.0011) == .suggestsWorse)
    }

    @Test func moreConfidenceAsksForMore() throws {
        let (usual, sure) = (statistics([1, 2, 3, 4, 5]), statistics([1, 2, 3, 4, 5], confidence: 0.999))
        let (a, b) = (try #require(usual.spread), try #require(sure.spread))
        // The quantile of 0.9995 is 8.6103016.
        #expect(abs(b.interval.upperBound - (3 + 8.6103016 * 0.5.squareRoot())) < 1e-6)
        #expect(abs(b.minimumDetectableDifference - (8.6103016 + 0.9409646) * 0.5.squareRoot()) < 1e-6)
        #expect(a.probability == b.probability)
        #expect(conclusion(sure) == .noConclusion)
    }

    @Test func onePairHasNoSpread() {
        let result = statistics([-4])
        #expect(result.meanDifference == -4)
        #expect(result.spread == nil)
        #expect(conclusion(result) == .noConclusion)
    }

    @Test func equalDifferences() throws {
        let apart = try #require(statistics([0.5, 0.5, 0.5]).spread)
        #expect(apart.interval == 0.5...0.5)
        #expect(apart.probability == 0)
        #expect(conclusion(statistics([0.5, 0.5, 0.5])) == .worse)
        let same = try #require(statistics([0, 0, 0]).spread)
        #expect(same.t == 0)
        #expect(same.probability == 1)
        #expect(conclusion(statistics([0, 0, 0])) == .noConclusion)
    }

    @Test func summaries() {
        #expect(SampleSummary([2, 4, 9]).mean == 5)
        // (9 + 1 + 16) / 2
        #expect(SampleSummary([2, 4, 9]).standardDeviation == 13.squareRoot())
        #expect(SampleSummary([7]).standardDeviation == nil)
    }

    /// Sorted 0.005, 0.01, 0.03, 0.04 are multiplied by 4, 3, 2, 1, and none may be below the one before it.
    @Test func holm() {
        let adjusted = Holm.adjusted([0.01, 0.04, 0.03, 0.005])
        for (value, expected) in zip(adjusted, [0.03, 0.06, 0.06, 0.02]) { #expect(abs(value - expected) < 1e-15) }
        #expect(Holm.adjusted([0.6, 0.5]) == [1, 1])
        #expect(Holm.adjusted([0.3]) == [0.3])
        #expect(Holm.adjusted([]).isEmpty)
    }
}
