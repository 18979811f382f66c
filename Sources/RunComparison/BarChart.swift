// BarChart - groups of bars, one bar per arm, with intervals as whiskers.

internal import Foundation

/// A bar chart as inline SVG.
struct BarChart: Sendable {
    struct Series: Sendable {
        let name: String
        let style: SeriesStyle
        /// One value per category; nil draws nothing.
        let values: [Double?]
        /// One interval per category; nil draws no whisker.
        let intervals: [ClosedRange<Double>?]
    }

    let id: String
    let title: String
    let description: String
    let yName: String
    let categories: [String]
    let series: [Series]
    /// The text of a value in the tooltip of its bar.
    let valueText: @Sendable (Double) -> String

    /// Share of a category's width that its bars fill.
    private static let filled = 0.8
    private static let longestLabel = 24

    var svg: Markup {
        let frame = ChartFrame(
            id: id, title: title, description: description, yName: yName, legend: series.map { ($0.name, $0.style) })
        let all = series.flatMap { series in
            series.values.compactMap { $0 }
                + series.intervals.compactMap { $0 }.flatMap { [$0.lowerBound, $0.upperBound] }
        }
        let y = frame.yScale(all, including: 0)
        let width = (ChartFrame.right - ChartFrame.left) / Double(max(categories.count, 1))
        let labels = categories.map { name in
            name.count > Self.longestLabel ? String(name.prefix(Self.longestLabel - 3)) + "..." : name
        }
        let longest = Double(labels.map(\.count).max() ?? 0) * ChartFrame.characterWidth
        // Labels that would overlap are turned by 30 degrees.
        let turns = longest > width - 4
        let foot = labels.enumerated().map { index, label in
            Markup.label(
                label, x: ChartFrame.left + (Double(index) + 0.5) * width, y: frame.bottom + 18,
                anchor: turns ? "end" : "middle", degrees: turns ? -30 : 0)
        }
        let bar = width * Self.filled / Double(max(series.count, 1))
        var marks: [Markup] = []
        for (number, series) in series.enumerated() {
            for category in categories.indices {
                let x = ChartFrame.left + (Double(category) + (1 - Self.filled) / 2) * width + Double(number) * bar
                marks += self.marks(of: series, category, x: x, width: bar, y)
            }
        }
        return frame.drawing(y, footHeight: turns ? 30 + longest / 2 : 32, foot: foot, marks: marks)
    }

    private func marks(
        of series: Series, _ category: Int, x: Double, width: Double, _ y: LinearScale
    ) -> [Markup] {
        guard let value = series.values[category] else { return [] }
        let (from, to) = (y.position(0), y.position(value))
        let name = "\(categories[category]), \(series.name): \(valueText(value))"
        var marks: [Markup] = [
            .element(
                "rect",
                [
                    ("x", coordinate(x)), ("y", coordinate(min(from, to))), ("width", coordinate(width * 0.9)),
                    ("height", coordinate(abs(from - to))), ("fill", series.style.colour),
                ], [.element("title", [], name)])
        ]
        guard let interval = series.intervals[category] else { return marks }
        let middle = x + width * 0.45
        let (top, bottom) = (y.position(interval.upperBound), y.position(interval.lowerBound))
        let half = min(width * 0.2, 5)
        // A white edge separates the whisker from its bar.
        let path =
            "M\(coordinate(middle)) \(coordinate(top))V\(coordinate(bottom))"
            + "M\(coordinate(middle - half)) \(coordinate(top))h\(coordinate(2 * half))"
            + "M\(coordinate(middle - half)) \(coordinate(bottom))h\(coordinate(2 * half))"
        for (colour, thickness) in [("#ffffff", "4"), ("#333333", "1.5")] {
            marks.append(
                .element(
                    "path", [("d", path), ("stroke", colour), ("stroke-width", thickness), ("fill", "none")],
                    []))
        }
        return marks
    }
}
