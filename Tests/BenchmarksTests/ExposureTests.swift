// ExposureTests - exposed communication, from steps of which every third has no exchange.

import Testing

@testable import Benchmarks
@testable import Reporting

@Suite struct ExposureTests {
    /// Seconds of steps in turn: without exchange, uncounted with exchange, counted with exchange, which adds
    /// `exposed`.
    private func steps(_ rounds: Int, exposed: Double, base: (Int) -> Double) -> (with: [Double], without: [Double]) {
        ((0..<rounds).map { base(3 * $0 + 2) + exposed }, (0...rounds).map { base(3 * $0) })
    }

    /// Steps become a twentieth slower during the run. Control: a difference of medians counts some of that as
    /// exchange.
    @Test func anEvenDriftMakesNoDifference() {
        let (with, without) = steps(3, exposed: 0.75) { 18 + 0.125 * Double($0) }
        #expect(Exposure.exposedSeconds(with: with, without: without) == 0.75)
        #expect(abs(Stopwatch.median(with) - Stopwatch.median(without) - 0.75) > 0.05)
    }

    /// One slow step of either kind is outvoted.
    @Test func theMedianCounts() {
        var (with, without) = steps(5, exposed: 0.5) { _ in 8 }
        with[1] += 100
        without[4] += 100
        #expect(Exposure.exposedSeconds(with: with, without: without) == 0.5)
    }
}
