// PairedStatistics - mean, interval, t test and minimum detectable difference of paired differences.

/// Mean and standard deviation over seeds.
struct SampleSummary: Sendable, Equatable {
    let mean: Double
    /// Sample standard deviation, with n - 1 in the denominator; nil for a single value.
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

/// The conclusion from a difference. Every column is a loss or an error: less is better.
enum Conclusion: String, Sendable, CaseIterable {
    case better
    case worse
    /// Detectable in its own test, but not significant after the correction for all tests.
    case suggestsBetter = "suggests better"
    case suggestsWorse = "suggests worse"
    case noConclusion = "no conclusion"

    var isSuggestion: Bool { self == .suggestsBetter || self == .suggestsWorse }
}

/// Statistics of the differences of an arm to the baseline, paired by seed.
package struct PairedStatistics: Sendable, Equatable {
    /// Confidence and power of a study.
    package struct Demands: Sendable, Equatable {
        /// Confidence of the interval. The level of the two-sided test is 1 minus it.
        var confidence = 0.95
        /// Probability that the test finds a true difference of the detectable size.
        var power = 0.8

        package init(confidence: Double = 0.95, power: Double = 0.8) {
            self.confidence = confidence
            self.power = power
        }
    }

    /// Statistics that need at least two pairs.
    struct Spread: Sendable, Equatable {
        /// Standard deviation of the differences.
        let standardDeviation: Double
        /// Standard error of the mean difference.
        let standardError: Double
        /// Student's two-sided confidence interval of the true difference.
        let interval: ClosedRange<Double>
        let t: Double
        /// p-value of the two-sided paired t test.
        let probability: Double
        /// Minimum detectable difference: (t_{1 - alpha/2} + t_{power}) * s / sqrt(n), with n - 1 degrees of freedom.
        ///
        /// This is an approximation. The exact condition on the noncentral t distribution asks for more: 5 % at
        /// 3 pairs, 1.2 % at 5 and 0.1 % at 10.
        let minimumDetectableDifference: Double
    }

    let pairs: Int
    /// Level of the test, the largest significant p: 1 minus the confidence.
    let level: Double
    /// Mean of arm minus baseline.
    let meanDifference: Double
    /// nil for a single pair.
    let spread: Spread?

    /// - Parameters:
    ///   - arm: the arm's values, one per seed, at least one.
    ///   - baseline: the baseline's values, for the same seeds in the same order.
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
        // Equal differences make t infinite. If all are 0, t is 0.
        let t = error > 0 ? summary.mean / error : summary.mean == 0 ? 0 : summary.mean > 0 ? .infinity : -.infinity
        spread = Spread(
            standardDeviation: deviation, standardError: error,
            interval: (summary.mean - critical * error)...(summary.mean + critical * error), t: t,
            probability: distribution.twoSidedProbability(beyond: t),
            minimumDetectableDifference: (critical + distribution.quantile(demands.power)) * error)
    }

    /// Better or worse, if the difference is at least the detectable one and Holm's correction confirms it.
    ///
    /// Without the confirmation it is a suggestion. A detectable difference exceeds the interval's half-width, so the
    /// interval excludes 0.
    ///
    /// - Parameter adjustedProbability: p after Holm's correction; nil without a test.
    func conclusion(adjustedProbability: Double?) -> Conclusion {
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
    /// The p-values of a family of tests, adjusted: at most alpha exactly where Holm's procedure rejects at alpha.
    ///
    /// The correction holds for dependent tests too.
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
