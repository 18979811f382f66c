// ChartFrame - what every chart has: scales, axes, grid, legend, and words for those who cannot see it.

internal import Foundation

/// Maps numbers to pixels.
struct LinearScale: Sendable, Equatable {
    let lower: Double
    let upper: Double
    /// Pixel of `lower`.
    let start: Double
    /// Pixel of `upper`.
    let end: Double
    /// Between ticks; both ends are multiples of it.
    private let step: Double

    func position(_ value: Double) -> Double { start + (value - lower) / (upper - lower) * (end - start) }

    /// A scale over round numbers around `values`; over 0 to 1 where there are none.
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

    /// Round numbers that part the scale, both ends among them.
    var ticks: [Double] {
        (Int((lower / step).rounded())...Int((upper / step).rounded())).map { Double($0) * step }
    }

    /// A tick as it is written: with as many decimals as neighbours need to differ.
    func label(_ tick: Double) -> String {
        let decimals = max(0, Int(-Foundation.log10(step * 1.000001).rounded(.down)))
        let text = String(format: "%.\(decimals)f", tick)
        return text.hasPrefix("-") && !text.contains { "123456789".contains($0) } ? String(text.dropFirst()) : text
    }

    /// 1, 2 or 5 times a power of ten, four to ten of which make `length`.
    private static func step(over length: Double) -> Double {
        let rough = length / 5
        let power = Foundation.pow(10, Foundation.log10(rough).rounded(.down))
        let digit = rough / power
        return (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10) * power
    }
}

/// Colour and dash of a series, different to those who see no colours as well.
struct SeriesStyle: Sendable, Equatable {
    let colour: String
    /// SVG's `stroke-dasharray`.
    let dash: String

    /// Okabe and Ito's colours without yellow, which white paper swallows.
    private static let colours = ["#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
    private static let dashes = ["none", "7 3", "2 3", "9 3 2 3", "12 4", "5 2", "1 2"]

    /// The style of arm `index`; the baseline's is black. What is filled has no dash.
    init(arm index: Int, isFilled: Bool = false) {
        colour = Self.colours[index % Self.colours.count]
        // Beyond the colours, the dashes shift.
        dash = isFilled ? "none" : Self.dashes[(index + index / Self.colours.count) % Self.dashes.count]
    }
}

/// The frame of a chart.
struct ChartFrame: Sendable {
    static let width = 900.0
    /// Left of the plot: tick labels and the axis's name.
    static let left = 86.0
    static let right = 884.0
    static let plotHeight = 300.0
    private static let legendLine = 20.0
    /// Pixels of a character of the 12-pixel type, rather more than less.
    static let characterWidth = 7.0

    let id: String
    let title: String
    /// What the chart shows, for those who cannot see it.
    let description: String
    let yName: String
    let legend: [(name: String, style: SeriesStyle)]

    private var legendPlaces: [(x: Double, y: Double)] {
        var (x, line) = (Self.left, 0.0)
        return legend.map { entry in
            let width = 40 + Double(entry.name.count) * Self.characterWidth + 16
            if x > Self.left, x + width > Self.right { (x, line) = (Self.left, line + 1) }
            defer { x += width }
            return (x, 18 + line * Self.legendLine)
        }
    }

    /// Where the plot begins, below the legend.
    var top: Double { (legendPlaces.last?.y ?? 0) + 18 }
    var bottom: Double { top + Self.plotHeight }

    func yScale(_ values: [Double], including from: Double? = nil) -> LinearScale {
        LinearScale(values, including: from, start: bottom, end: top)
    }

    /// The whole drawing.
    ///
    /// - Parameters:
    ///   - y: the scale of the grid's lines.
    ///   - footHeight: pixels below the plot for what `foot` draws there.
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
        let ground: Markup.Attributes = [
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
                .element("rect", ground, []), .element("g", [], legendMarks), .element("g", [], grid),
                .element("g", [], foot), .element("g", [], marks),
            ])
    }

    private var legendMarks: [Markup] {
        var marks: [Markup] = []
        for (entry, place) in zip(legend, legendPlaces) {
            let y = place.y - 4
            marks.append(
                .line(place.x, y, place.x + 32, y, colour: entry.style.colour, width: 3, dash: entry.style.dash))
            marks.append(.label(entry.name, x: place.x + 40, y: place.y, anchor: "start"))
        }
        return marks
    }
}
