// MeasuredColumn - the measurements of an evaluation, as columns of a comparison.

/// A measurement of an evaluation row.
enum MeasuredColumn: Hashable, Sendable {
    case validation
    case uniformMean
    case worst
    case domain(String)
    /// CE of the targets in a bucket of token frequency (`high`, `medium`, `low`). The targets are equal in every run.
    case frequency(String)
    case bitsPerByte
    case calibrationError
    /// CE of the targets in a bucket of the model's own entropy. The targets differ between runs.
    case entropy(String)

    /// The key path in an evaluation row.
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

    /// Whether all runs measure it on the same targets, so that a difference is due to the models.
    var isPaired: Bool {
        if case .entropy = self { false } else { true }
    }

    /// The column that has the same measurement in another unit, and so the same test; nil if there is none.
    var restated: MeasuredColumn? { self == .bitsPerByte ? .validation : nil }

    /// Frequency buckets in the order of the table.
    private static let frequencies = ["high", "medium", "low"]

    /// The columns of all `rows`, in the order of the table.
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

    /// Lower bound of an entropy bucket in nats: 2 for `2-3`, 6 for `6+`.
    static func lowerBound(_ bucket: String) -> Int { Int(bucket.prefix { $0.isNumber }) ?? .max }
}
