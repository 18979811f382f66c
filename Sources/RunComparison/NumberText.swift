// NumberText - the numbers of a comparison as text.

internal import Foundation

enum NumberText {
    /// A mean, with four decimals.
    static func value(_ value: Double) -> String { String(format: "%.4f", value) }

    /// A standard deviation or detectable difference; `-` for nil.
    static func spread(_ value: Double?) -> String { value.map { String(format: "%.5f", $0) } ?? "-" }

    /// A difference, always with its sign.
    static func difference(_ value: Double) -> String { String(format: "%+.5f", value) }

    static func interval(_ interval: ClosedRange<Double>?) -> String {
        interval.map { "\(difference($0.lowerBound)) to \(difference($0.upperBound))" } ?? "-"
    }

    static func probability(_ value: Double?) -> String {
        value.map { $0 < 0.0001 ? "<0.0001" : String(format: "%.4f", $0) } ?? "-"
    }

    /// A share in percent: 95 for a confidence of 0.95.
    static func percent(_ share: Double) -> String { String(format: "%.10g", share * 100) }
}
