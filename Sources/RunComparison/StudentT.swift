// StudentT - Student's t distribution: tail probabilities and quantiles.

internal import Foundation

/// Student's t distribution (Abramowitz and Stegun, section 26.7).
struct StudentT: Sendable {
    private let degreesOfFreedom: Double

    /// - Parameter degreesOfFreedom: at least 1.
    init(degreesOfFreedom: Int) {
        precondition(degreesOfFreedom >= 1, "a t distribution with \(degreesOfFreedom) degrees of freedom")
        self.degreesOfFreedom = Double(degreesOfFreedom)
    }

    /// P(|T| >= |t|), the p-value of a two-sided test; 0 for an infinite t.
    func twoSidedProbability(beyond t: Double) -> Double {
        let square = t * t
        guard square.isFinite else { return 0 }
        let sum = degreesOfFreedom + square
        return IncompleteBeta.regularized(degreesOfFreedom / sum, complement: square / sum, degreesOfFreedom / 2, 0.5)
    }

    /// The t with P(T <= t) = `probability`.
    ///
    /// - Parameter probability: above 0 and below 1.
    func quantile(_ probability: Double) -> Double {
        precondition(probability > 0 && probability < 1, "there is no quantile of \(probability)")
        if probability == 0.5 { return 0 }
        // The distribution is symmetric. The probability of both tails falls as t grows from 0.
        let tails = 2 * min(probability, 1 - probability)
        var low = 0.0
        var high = 1.0
        while twoSidedProbability(beyond: high) > tails {
            low = high
            high *= 2
        }
        while true {
            let middle = low + (high - low) / 2
            guard middle > low, middle < high else { break }
            if twoSidedProbability(beyond: middle) > tails { low = middle } else { high = middle }
        }
        return probability < 0.5 ? -low : low
    }
}

/// The regularised incomplete beta function.
enum IncompleteBeta {
    /// Most terms of the continued fraction. It converges in about sqrt(max(a, b)) terms.
    private static let mostTerms = 10_000

    /// I_x(a, b), by its continued fraction (Abramowitz and Stegun 26.5.8) and Lentz's method.
    ///
    /// - Parameters:
    ///   - x: from 0 to 1.
    ///   - complement: 1 - x. Why a parameter: the subtraction would lose a small complement.
    ///   - a: positive.
    ///   - b: positive.
    static func regularized(_ x: Double, complement: Double, _ a: Double, _ b: Double) -> Double {
        precondition(x >= 0 && complement >= 0 && a > 0 && b > 0, "I_\(x)(\(a), \(b)) does not exist")
        if x == 0 { return 0 }
        if complement == 0 { return 1 }
        let logarithm =
            lgamma(a + b).0 - lgamma(a).0 - lgamma(b).0 + a * Foundation.log(x) + b * Foundation.log(complement)
        let factor = Foundation.exp(logarithm)
        // The fraction converges fast below the mean. Above the mean the other tail is computed.
        return x < (a + 1) / (a + b + 2)
            ? factor * fraction(x, a, b) / a : 1 - factor * fraction(complement, b, a) / b
    }

    private static func fraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
        // Lentz's method replaces a zero denominator by a tiny number.
        let tiny = 1e-300
        func nonzero(_ value: Double) -> Double { abs(value) < tiny ? tiny : value }
        var numerator = 1.0
        var denominator = 1 / nonzero(1 - (a + b) * x / (a + 1))
        var result = denominator
        for term in 1...mostTerms {
            let m = Double(term)
            var change = 1.0
            for coefficient in [
                m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
            ] {
                denominator = 1 / nonzero(1 + coefficient * denominator)
                numerator = nonzero(1 + coefficient / numerator)
                change = denominator * numerator
                result *= change
            }
            if abs(change - 1) < 1e-15 { return result }
        }
        preconditionFailure("the continued fraction of I_\(x)(\(a), \(b)) does not converge")
    }
}
