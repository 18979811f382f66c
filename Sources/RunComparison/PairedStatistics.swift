// PairedStatistics - what paired differences say: mean, interval, test, and what they could have shown at all.

/// Mean and standard deviation over seeds.
package struct SampleSummary: Sendable, Equatable {
    let mean: Double
    /// With n - 1 in the denominator; nil for a single value.
    let standardDeviation: Double?

    /// - Parameter values: at least one.
    init(_ values: [Double]) {
        precondition(!values.isEmpty, "no values have no mean")
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        self.mean = mean
        standardDeviation =
            values.count > 1
            ? (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)).squareRoot() : nil
    }
}

/// What a difference lets one say. Every column is a loss or an error: less is better.
package enum Verdict: String, Sendable, CaseIterable {
    case better
    case worse
    /// Large enough alone, but one of so many tests that it may be chance.
    case suggestsBetter = "suggests better"
    case suggestsWorse = "suggests worse"
    case noConclusion = "no conclusion"

    var isSuggestion: Bool { self == .suggestsBetter || self == .suggestsWorse }
}

/// The differences of an arm to the baseline, pair by pair.
package struct PairedStatistics: Sendable, Equatable {
    /// How sure a study wants to be.
    package struct Demands: Sendable, Equatable {
        /// Of the interval; 1 minus it is the level of the two-sided test.
        var confidence = 0.95
        /// Chance with which a true difference of the detectable size would be found.
        var power = 0.8

        package init(confidence: Double = 0.95, power: Double = 0.8) {
            self.confidence = confidence
            self.power = power
        }
    }

    /// What takes at least two pairs.
    struct Spread: Sendable, Equatable {
        /// Of the differences.
        let standardDeviation: Double
        /// Of their mean.
        let standardError: Double
        /// Student's two-sided interval for the true difference.
        let interval: ClosedRange<Double>
        let t: Double
        /// Of the two-sided paired t test.
        let probability: Double
        /// (t_{1 - alpha/2} + t_{power}) * s / sqrt(n), both quantiles with n - 1 degrees of freedom.
        ///
        /// The usual approximation to the exact condition on the noncentral t distribution, which asks for 1.2 % more at
        /// 5 pairs, 0.1 % at 10 and 5 % at 3.
        let minimumDetectableDifference: Double
    }

    let pairs: Int
    /// Largest p that counts: 1 minus the confidence.
    let level: Double
    /// Arm minus baseline.
    let meanDifference: Double
    /// nil for a single pair.
    let spread: Spread?

    /// - Parameters:
    ///   - arm: its values, at least one, by seed.
    ///   - baseline: the baseline's values of the same seeds in the same order.
    init(arm: [Double], baseline: [Double], demands: Demands) {
        precondition(arm.count == baseline.count, "\(arm.count) values cannot be paired with \(baseline.count)")
        let summary = SampleSummary(zip(arm, baseline).map { $0 - $1 })
        pairs = arm.count
        level = 1 - demands.confidence
        meanDifference = summary.mean
        guard let deviation = summary.standardDeviation else {
            spread = nil
            return
        }
        let distribution = StudentT(degreesOfFreedom: pairs - 1)
        let error = deviation / Double(pairs).squareRoot()
        let critical = distribution.quantile(1 - (1 - demands.confidence) / 2)
        // Equal differences leave no doubt, and no difference at all is no evidence.
        let t = error > 0 ? summary.mean / error : summary.mean == 0 ? 0 : summary.mean > 0 ? .infinity : -.infinity
        spread = Spread(
            standardDeviation: deviation, standardError: error,
            interval: (summary.mean - critical * error)...(summary.mean + critical * error), t: t,
            probability: distribution.twoSidedProbability(beyond: t),
            minimumDetectableDifference: (critical + distribution.quantile(demands.power)) * error)
    }

    /// A conclusion only from a difference that is at least the detectable one, whose interval then excludes 0, because its
    /// half-width is the smaller of the two; and only where the family's correction confirms it. Where that does not, it
    /// is a suggestion.
    ///
    /// - Parameter adjustedProbability: p after Holm's correction; nil where there is no test.
    func verdict(adjustedProbability: Double?) -> Verdict {
        guard let spread, meanDifference != 0, abs(meanDifference) >= spread.minimumDetectableDifference else {
            return .noConclusion
        }
        let isConfirmed = adjustedProbability.map { $0 <= level } ?? false
        return meanDifference < 0
            ? isConfirmed ? .better : .suggestsBetter : isConfirmed ? .worse : .suggestsWorse
    }
}

/// Holm's correction (Scandinavian Journal of Statistics 6, 1979).
enum Holm {
    /// The p-values adjusted for being tests of one family: an adjusted one is at most alpha where Holm's procedure
    /// rejects at alpha, whatever the tests have to do with one another.
    static func adjusted(_ probabilities: [Double]) -> [Double] {
        var result = probabilities
        var largest = 0.0
        let order = probabilities.indices.sorted { probabilities[$0] < probabilities[$1] }
        for (rank, index) in order.enumerated() {
            largest = max(largest, min(1, Double(probabilities.count - rank) * probabilities[index]))
            result[index] = largest
        }
        return result
    }
}
