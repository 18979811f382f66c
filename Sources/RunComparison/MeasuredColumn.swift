// MeasuredColumn - what evaluations measure, as the columns of a comparison.

/// A number of an evaluation row.
package enum MeasuredColumn: Hashable, Sendable {
    case validation
    case uniformMean
    case worst
    case domain(String)
    /// CE of the targets whose tokens are frequent to rare in the training data: the same targets in every run.
    case frequency(String)
    case bitsPerByte
    case calibrationError
    /// CE of the targets at which the model's own entropy lies in a bucket: other targets in every run.
    case entropy(String)

    /// Its path in an evaluation row.
    var key: String {
        switch self {
        case .validation: "validation_ce"
        case .uniformMean: "uniform_mean"
        case .worst: "worst_ce"
        case .domain(let name): "domains.\(name)"
        case .frequency(let bucket): "frequency.\(bucket)"
        case .bitsPerByte: "bits_per_byte"
        case .calibrationError: "calibration_error"
        case .entropy(let bucket): "entropy.\(bucket)"
        }
    }

    /// Whether the runs of a pair measure it on the same targets, so that a difference is one of the models.
    var isPaired: Bool {
        if case .entropy = self { false } else { true }
    }

    /// The column whose test is this one's, because this is that one in another unit.
    var restated: MeasuredColumn? { self == .bitsPerByte ? .validation : nil }

    /// Frequency buckets in the order of the interface, which is not that of the alphabet.
    private static let frequencies = ["high", "medium", "low"]

    /// The columns of all `rows`, in the order in which they are shown.
    ///
    /// - Parameter domains: names of the validation domains, in the order of the configuration.
    static func all(of rows: [EvaluationRow], domains: [String]) -> [MeasuredColumn] {
        let present = Set(rows.flatMap(\.values.keys))
        func position(_ column: MeasuredColumn) -> (Int, Int, String) {
            switch column {
            case .validation: (0, 0, "")
            case .uniformMean: (1, 0, "")
            case .worst: (2, 0, "")
            case .domain(let name): (3, domains.firstIndex(of: name) ?? .max, name)
            case .frequency(let bucket): (4, frequencies.firstIndex(of: bucket) ?? .max, bucket)
            case .bitsPerByte: (5, 0, "")
            case .calibrationError: (6, 0, "")
            case .entropy(let bucket): (7, lowerBound(bucket), bucket)
            }
        }
        return present.sorted { position($0) < position($1) }
    }

    /// Where an entropy bucket begins: 2 for `2-3`, 6 for `6+`.
    static func lowerBound(_ bucket: String) -> Int { Int(bucket.prefix { $0.isNumber }) ?? .max }
}
