// LineChart - curves over steps, and points with whiskers for the spread over seeds.

/// A line chart as inline SVG.
struct LineChart: Sendable {
    /// A value with its spread.
    struct Point: Sendable, Equatable {
        let x: Double
        let y: Double
        let range: ClosedRange<Double>
    }

    struct Series: Sendable {
        let name: String
        let style: SeriesStyle
        let curve: [(x: Double, y: Double)]
        let points: [Point]
    }

    let id: String
    let title: String
    let description: String
    let xName: String
    let yName: String
    let series: [Series]
    /// The text of a value in the tooltip of its point.
    let valueText: @Sendable (Double) -> String

    /// Horizontal pixels between the points of neighbouring series.
    private static let distance = 8.0

    var svg: Markup {
        let frame = ChartFrame(
            id: id, title: title, description: description, yName: yName, legend: series.map { ($0.name, $0.style) })
        let values = series.flatMap { series in
            series.curve.map(\.y) + series.points.flatMap { [$0.range.lowerBound, $0.range.upperBound] }
        }
        let y = frame.yScale(values)
        let x = LinearScale(
            series.flatMap { $0.curve.map(\.x) + $0.points.map(\.x) }, start: ChartFrame.left, end: ChartFrame.right)
        var foot = x.ticks.map { tick in
            Markup.label(x.label(tick), x: x.position(tick), y: frame.bottom + 18, anchor: "middle")
        }
        foot.append(
            Markup.label(
                xName, x: (ChartFrame.left + ChartFrame.right) / 2, y: frame.bottom + 38, anchor: "middle"))
        let all = series.enumerated().flatMap { number, series in
            // Why shifted: the points of one step would cover each other.
            marks(of: series, shift: (Double(number) - Double(self.series.count - 1) / 2) * Self.distance, x, y)
        }
        return frame.drawing(y, footHeight: 48, foot: foot, marks: all)
    }

    private func marks(of series: Series, shift: Double, _ x: LinearScale, _ y: LinearScale) -> [Markup] {
        let points = series.curve.map { "\(coordinate(x.position($0.x))),\(coordinate(y.position($0.y)))" }
        var marks: [Markup] = [
            .element(
                "polyline",
                [
                    ("points", points.joined(separator: " ")), ("fill", "none"), ("stroke", series.style.colour),
                    ("stroke-width", "1.5"), ("stroke-dasharray", series.style.dash),
                ], [])
        ]
        for point in series.points {
            let pointX = x.position(point.x) + shift
            marks.append(
                .line(
                    pointX, y.position(point.range.lowerBound), pointX, y.position(point.range.upperBound),
                    colour: series.style.colour))
            let tooltip = "\(series.name), \(x.label(point.x)): \(valueText(point.y))"
            marks.append(
                .element(
                    "circle",
                    [
                        ("cx", coordinate(pointX)), ("cy", coordinate(y.position(point.y))), ("r", "3.5"),
                        ("fill", series.style.colour),
                    ], [.element("title", [], tooltip)]))
        }
        return marks
    }
}
