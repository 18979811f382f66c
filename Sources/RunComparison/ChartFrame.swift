// ChartFrame - the common parts of charts: scales, axes, grid, legend, description.

internal import Foundation

/// A linear map from numbers to pixels, between round numbers.
struct LinearScale: Sendable, Equatable {
    let lower: Double
    let upper: Double
    /// Pixel of `lower`.
    let start: Double
    /// Pixel of `upper`.
    let end: Double
    /// Distance of ticks; both ends of the scale are multiples of it.
    private let step: Double

    func position(_ value: Double) -> Double { start + (value - lower) / (upper - lower) * (end - start) }

    /// A scale between the round numbers around `values`; from 0 to 1 without values.
    ///
    /// - Parameter from: a number that must be on the scale.
    init(_ values: [Double], including from: Double? = nil, start: Double, end: Double) {
        let all = values + (from.map { [$0] } ?? [])
        var low = all.min() ?? 0
        var high = all.max() ?? 1
        if low == high { (low, high) = low == 0 ? (0, 1) : (min(low, 0), max(high, 0)) }
        step = Self.step(over: high - low)
        lower = (low / step).rounded(.down) * step
        upper = (high / step).rounded(.up) * step
        (self.start, self.end) = (start, end)
    }

    /// The ticks from `lower` to `upper`, both included.
    var ticks: [Double] {
        (Int((lower / step).rounded())...Int((upper / step).rounded())).map { Double($0) * step }
    }

    /// Text of a tick, with as many decimals as neighbouring ticks need to differ.
    func label(_ tick: Double) -> String {
        let decimals = max(0, Int(-Foundation.log10(step * 1.000001).rounded(.down)))
        let text = String(format: "%.\(decimals)f", tick)
        return text.hasPrefix("-") && !text.contains { "123456789".contains($0) } ? String(text.dropFirst()) : text
    }

    /// Distance of ticks for a scale of `length`: 1, 2 or 5 times a power of ten, for four to ten ticks.
    private static func step(over length: Double) -> Double {
        let rough = length / 5
        let power = Foundation.pow(10, Foundation.log10(rough).rounded(.down))
        let digit = rough / power
        return (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10) * power
    }
}

/// Colour and dash of a series. Why both: readers may not see colours.
struct SeriesStyle: Sendable, Equatable {
    let colour: String
    /// SVG's `stroke-dasharray`.
    let dash: String

    /// Colours of Okabe and Ito, without yellow, which is hard to see on white.
    private static let colours = ["#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
    private static let dashes = ["none", "7 3", "2 3", "9 3 2 3", "12 4", "5 2", "1 2"]

    /// The style of arm `index`. The baseline is black.
    ///
    /// - Parameter isFilled: whether the series are areas, which have no dash.
    init(arm index: Int, isFilled: Bool = false) {
        colour = Self.colours[index % Self.colours.count]
        // With each round through the colours the dashes shift by one.
        dash = isFilled ? "none" : Self.dashes[(index + index / Self.colours.count) % Self.dashes.count]
    }
}

/// Plot area, grid, axes and legend of a chart, in pixels.
struct ChartFrame: Sendable {
    static let width = 900.0
    /// Left edge of the plot, right of tick labels and the axis's name.
    static let left = 86.0
    static let right = 884.0
    static let plotHeight = 300.0
    private static let legendLine = 20.0
    /// Upper estimate of a character's width in the 12-pixel font.
    static let characterWidth = 7.0

    let id: String
    let title: String
    /// Text of the chart's content for screen readers.
    let description: String
    let yName: String
    let legend: [(name: String, style: SeriesStyle)]

    private var legendPositions: [(x: Double, y: Double)] {
        var (x, line) = (Self.left, 0.0)
        return legend.map { entry in
            let width = 40 + Double(entry.name.count) * Self.characterWidth + 16
            if x > Self.left, x + width > Self.right { (x, line) = (Self.left, line + 1) }
            defer { x += width }
            return (x, 18 + line * Self.legendLine)
        }
    }

    /// Upper edge of the plot, below the legend.
    var top: Double { (legendPositions.last?.y ?? 0) + 18 }
    var bottom: Double { top + Self.plotHeight }

    func yScale(_ values: [Double], including from: Double? = nil) -> LinearScale {
        LinearScale(values, including: from, start: bottom, end: top)
    }

    /// The chart as an SVG element.
    ///
    /// - Parameters:
    ///   - y: the vertical scale of grid and marks.
    ///   - footHeight: pixels below the plot for `foot`.
    ///   - foot: labels below the plot.
    ///   - marks: curves, points and bars.
    func drawing(_ y: LinearScale, footHeight: Double, foot: [Markup], marks: [Markup]) -> Markup {
        let height = bottom + footHeight
        var grid: [Markup] = []
        for tick in y.ticks {
            let position = y.position(tick)
            grid.append(
                .line(Self.left, position, Self.right, position, colour: tick == 0 ? "#333333" : "#dddddd"))
            grid.append(.label(y.label(tick), x: Self.left - 8, y: position + 4, anchor: "end"))
        }
        grid.append(.label(yName, x: 16, y: (top + bottom) / 2, anchor: "middle", degrees: -90))
        let background: Markup.Attributes = [
            ("width", coordinate(Self.width)), ("height", coordinate(height)), ("fill", "#ffffff"),
        ]
        return .element(
            "svg",
            [
                ("viewBox", "0 0 \(coordinate(Self.width)) \(coordinate(height))"), ("role", "img"),
                ("aria-labelledby", "\(id)-title \(id)-text"),
            ],
            [
                .element("title", [("id", "\(id)-title")], title),
                .element("desc", [("id", "\(id)-text")], description),
                .element("rect", background, []), .element("g", [], legendMarks), .element("g", [], grid),
                .element("g", [], foot), .element("g", [], marks),
            ])
    }

    private var legendMarks: [Markup] {
        var marks: [Markup] = []
        for (entry, place) in zip(legend, legendPositions) {
            let y = place.y - 4
            marks.append(
                .line(place.x, y, place.x + 32, y, colour: entry.style.colour, width: 3, dash: entry.style.dash))
            marks.append(.label(entry.name, x: place.x + 40, y: place.y, anchor: "start"))
        }
        return marks
    }
}
