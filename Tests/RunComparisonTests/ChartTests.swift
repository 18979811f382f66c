// ChartTests - scales, and the positions of curves, points and bars.

import Foundation
import Testing

@testable import RunComparison

@Suite struct ChartTests {
    private func count(_ part: String, in text: String) -> Int { text.components(separatedBy: part).count - 1 }

    @Test(
        arguments: [
            (
                [0.013, 0.047], 0.01, 0.05,
                ["0.010", "0.015", "0.020", "0.025", "0.030", "0.035", "0.040", "0.045", "0.050"]
            ),
            ([-3, 17], -5, 20, ["-5", "0", "5", "10", "15", "20"]), ([5], 0, 5, ["0", "1", "2", "3", "4", "5"]),
            ([], 0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
            ([-0.00012, 0.0003], -0.0002, 0.0003, ["-0.0002", "-0.0001", "0.0000", "0.0001", "0.0002", "0.0003"]),
        ] as [([Double], Double, Double, [String])])
    func scalesEndAtRoundNumbers(_ values: [Double], _ lower: Double, _ upper: Double, _ labels: [String]) {
        let scale = LinearScale(values, start: 300, end: 0)
        // Ticks are multiples of their distance, rounded once.
        #expect(abs(scale.lower - lower) < 1e-15 && abs(scale.upper - upper) < 1e-15)
        #expect(scale.ticks.map(scale.label) == labels)
        #expect(scale.position(scale.lower) == 300)
        #expect(scale.position(scale.upper) == 0)
    }

    @Test func aScaleHoldsWhatItMust() {
        let scale = LinearScale([2, 3], including: 0, start: 0, end: 30)
        #expect(scale.lower == 0)
        #expect(scale.position(1.5) == 15)
        #expect(LinearScale([2, 3], start: 0, end: 30).lower == 2)
    }

    @Test(arguments: [(12.5, "12.5"), (12, "12"), (-0.001, "0"), (0.125, "0.12"), (100, "100"), (-3.005, "-3")])
    func coordinates(_ value: Double, _ text: String) { #expect(coordinate(value) == text) }

    /// The plot lies between x 86 and 884, and between y 36 (below one line of legend) and 336.
    @Test func linesArePlacedOnTheScales() {
        let chart = LineChart(
            id: "x", title: "t", description: "d", xName: "step", yName: "y",
            series: [
                .init(
                    name: "a", style: SeriesStyle(arm: 0), curve: [(0, 1), (50, 3), (100, 2)],
                    points: [.init(x: 100, y: 2, range: 1...3)])
            ], valueText: NumberText.value)
        let svg = chart.svg.rendered
        #expect(svg.contains(##"<polyline points="86,336 485,36 884,186" fill="none" stroke="#000000""##), "\(svg)")
        #expect(svg.contains(##"<line x1="884" y1="336" x2="884" y2="36" stroke="#000000""##), "\(svg)")
        #expect(svg.contains(#"<circle cx="884" cy="186" "#), "\(svg)")
        #expect(svg.contains("<title>a, 100: 2.0000</title>"), "\(svg)")
    }

    @Test func pointsOfOneStepStandSideBySide() {
        let series = (0..<3).map { arm in
            LineChart.Series(
                name: "\(arm)", style: SeriesStyle(arm: arm), curve: [(0, 1), (100, 3)],
                points: [.init(x: 50, y: 2, range: 2...2)])
        }
        let svg = LineChart(
            id: "x", title: "", description: "", xName: "", yName: "", series: series, valueText: NumberText.value
        ).svg.rendered
        for x in [477, 485, 493] { #expect(svg.contains(#"<circle cx="\#(x)" cy="186" "#), "\(svg)") }
    }

    /// Values from -1 to 4 on 300 pixels: 60 pixels per unit. Two bars fill 0.8 of each category of 399 pixels.
    @Test func barsStandOnZero() {
        let chart = BarChart(
            id: "x", title: "t", description: "d", yName: "y", categories: ["p", "q"],
            series: [
                .init(
                    name: "a", style: SeriesStyle(arm: 1, isFilled: true), values: [2, -1], intervals: [1...4, nil]),
                .init(
                    name: "b", style: SeriesStyle(arm: 2, isFilled: true), values: [nil, 4], intervals: [nil, nil]),
            ], valueText: NumberText.difference)
        let svg = chart.svg.rendered
        #expect(svg.contains(##"<rect x="125.9" y="156" width="143.64" height="120" fill="#0072B2">"##), "\(svg)")
        #expect(svg.contains(##"<rect x="524.9" y="276" width="143.64" height="60" fill="#0072B2">"##), "\(svg)")
        #expect(svg.contains(##"<rect x="684.5" y="36" width="143.64" height="240" fill="#D55E00">"##), "\(svg)")
        // One whisker, drawn twice: from 4 to 1.
        #expect(count(#"<path d="M197.72 36V216M"#, in: svg) == 2)
        #expect(count("<path", in: svg) == 2)
        #expect(svg.contains("<title>q, a: -1.00000</title>"))
        #expect(!svg.contains("rotate(-30"))
    }

    @Test func longLabelsAreTurnedAndCut() {
        let names = (0..<20).map { "a rather long name of a domain \($0)" }
        let chart = BarChart(
            id: "x", title: "", description: "", yName: "", categories: names,
            series: [
                .init(
                    name: "a", style: SeriesStyle(arm: 1), values: names.map { _ in 1 },
                    intervals: names.map { _ in nil })
            ], valueText: NumberText.value)
        let svg = chart.svg.rendered
        #expect(count("rotate(-30 ", in: svg) == 20)
        #expect(svg.contains(">a rather long name of...</text>"))
        #expect(svg.contains("<title>a rather long name of a domain 19, a: 1.0000</title>"))
    }

    @Test func curvesAreSmoothedAndThinned() {
        let curve = [(1.0, 4.0), (2, 2), (3, 6), (4, 1)].map { (x: $0.0, y: $0.1) }
        #expect(ReportCharts.smoothed(curve, window: 2).map(\.y) == [4, 3, 4, 3.5])
        #expect(ReportCharts.smoothed(curve, window: 1).map(\.y) == [4, 2, 6, 1])
        let long = (1...1000).map { (x: Double($0), y: 0.0) }
        let thinned = ReportCharts.thinned(long)
        #expect(thinned.count == 250)
        #expect(thinned.last?.x == 1000)
        #expect(ReportCharts.thinned([]).isEmpty)
        #expect(ReportCharts.thinned(curve).count == 4)
    }

    @Test func stylesOfManyArmsDiffer() {
        let styles = (0..<14).map { SeriesStyle(arm: $0) }
        for (index, style) in styles.enumerated() { #expect(!styles[..<index].contains(style)) }
        #expect(SeriesStyle(arm: 3, isFilled: true).dash == "none")
    }
}
