// StudentTTests - the t distribution against closed forms and published tables.

import Foundation
import Testing

@testable import RunComparison

@Suite struct StudentTTests {
    /// Quantiles of published tables, with more digits from SciPy 1.17.1's `stats.t.ppf`.
    @Test(arguments: [
        (1, 0.975, 12.7062047), (2, 0.95, 2.9199856), (3, 0.99, 4.5407029), (4, 0.975, 2.7764451), (4, 0.8, 0.9409646),
        (5, 0.9, 1.4758840), (9, 0.975, 2.2621572), (10, 0.995, 3.1692727), (30, 0.95, 1.6972609),
        (120, 0.975, 1.9799304), (4, 0.9995, 8.6103016),
    ])
    func quantileOfATable(_ degrees: Int, _ probability: Double, _ quantile: Double) {
        // The table has seven decimals.
        #expect(abs(StudentT(degreesOfFreedom: degrees).quantile(probability) - quantile) < 1e-6)
        // 1 - p is rounded, which moves the quantile of the tail by at most 1e-11.
        #expect(abs(StudentT(degreesOfFreedom: degrees).quantile(1 - probability) + quantile) < 1e-6)
    }

    /// One degree: Cauchy's distribution; two: t = u sqrt(2 / (1 - u^2)), u = 2 p - 1.
    @Test(arguments: [0.0005, 0.01, 0.2, 0.49, 0.5, 0.51, 0.8, 0.99, 0.9995])
    func quantileInClosedForm(_ probability: Double) {
        let one = Foundation.tan(.pi * (probability - 0.5))
        // Relative 1e-12: the functions are exact to a few units of 1e-16, and the tails magnify that by up to 2000.
        #expect(abs(StudentT(degreesOfFreedom: 1).quantile(probability) - one) <= 1e-12 * max(1, abs(one)))
        let u = 2 * probability - 1
        let two = u * (2 / (1 - u * u)).squareRoot()
        #expect(abs(StudentT(degreesOfFreedom: 2).quantile(probability) - two) <= 1e-12 * max(1, abs(two)))
    }

    /// Two degrees: p = 1 - t / sqrt(2 + t^2); four: p = 1 - t (6 + t^2) / (4 + t^2)^1.5.
    @Test(arguments: [0, 1e-9, 0.3, 1, 2.5, 4.2426, 20])
    func twoSidedProbabilityInClosedForm(_ t: Double) {
        let two = 1 - t / (2 + t * t).squareRoot()
        #expect(abs(StudentT(degreesOfFreedom: 2).twoSidedProbability(beyond: t) - two) < 1e-14)
        let root = (4 + t * t).squareRoot()
        let four = 1 - t * (6 + t * t) / (root * root * root)
        let distribution = StudentT(degreesOfFreedom: 4)
        #expect(abs(distribution.twoSidedProbability(beyond: t) - four) < 1e-14)
        #expect(distribution.twoSidedProbability(beyond: -t) == distribution.twoSidedProbability(beyond: t))
    }

    @Test func farTailsKeepTheirDigits() {
        // For large t, p of four degrees approaches 6 / (t^2 / 4)^2 / 16 = 6 / t^4.
        let p = StudentT(degreesOfFreedom: 4).twoSidedProbability(beyond: 1e9)
        #expect(abs(p / 6e-36 - 1) < 1e-12)
        #expect(StudentT(degreesOfFreedom: 4).twoSidedProbability(beyond: .infinity) == 0)
    }

    @Test(arguments: [0, 1e-8, 0.1, 0.3, 0.5, 0.77, 0.999, 1])
    func incompleteBetaInClosedForm(_ x: Double) {
        func beta(_ a: Double, _ b: Double) -> Double { IncompleteBeta.regularized(x, complement: 1 - x, a, b) }
        // Errors of the gamma functions' logarithms: a few units of 1e-16 each.
        #expect(abs(beta(3, 1) - x * x * x) < 1e-14)
        #expect(abs(beta(1, 2.5) - (1 - Foundation.pow(1 - x, 2.5))) < 1e-14)
        #expect(abs(beta(2, 3) - (6 * x * x - 8 * x * x * x + 3 * x * x * x * x)) < 1e-14)
        #expect(abs(beta(0.5, 0.5) - 2 / .pi * Foundation.asin(x.squareRoot())) < 1e-14)
        // I_x(a, b) = 1 - I_{1-x}(b, a), across the border between the two fractions.
        let other = IncompleteBeta.regularized(1 - x, complement: x, 3.5, 2)
        #expect(abs(beta(2, 3.5) - (1 - other)) < 1e-14)
    }
}
