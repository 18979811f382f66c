// EvaluationSums - sums over evaluated targets: losses, buckets, calibration, bytes.

/// Sums over targets, in double precision. Sums of several sequences are added element by element, in the sequences'
/// order.
public struct EvaluationSums: Sendable, Equatable {
    /// The targets of one bucket.
    public struct Bucket: Sendable, Equatable {
        public let targets: Int
        /// Sum of cross-entropies, in nats.
        let crossEntropySum: Double

        /// Mean cross-entropy in nats; NaN without targets.
        public var crossEntropy: Double { targets > 0 ? crossEntropySum / Double(targets) : .nan }
    }

    /// Names of the entropy buckets: one nat each, the last one without end.
    static let entropyNames = (0..<6).map { "\($0)-\($0 + 1)" } + ["6+"]
    /// Number of calibration bins, of equal width of confidence (Guo et al. 2017, arXiv 1706.04599).
    static let calibrationBins = 15

    // Layout of `values`: cross-entropy and number of all targets; bytes; cross-entropy and number by frequency, then
    // by entropy; per calibration bin the sum of confidences, the number of correct predictions, and the number of
    // predictions.
    private static let bytesIndex = 2
    private static let frequencyStart = 3
    private static let entropyStart = frequencyStart + 2 * FrequencyBuckets.names.count
    private static let calibrationStart = entropyStart + 2 * entropyNames.count
    /// Number of ``values``.
    static let valueCount = calibrationStart + 3 * calibrationBins

    /// All sums as one list, for messages between ranks. Counts are whole numbers.
    private(set) var values: [Double]

    public init() { values = [Double](repeating: 0, count: Self.valueCount) }

    /// Sums from a list of ``values``; traps on another length.
    init(values: some Collection<Double>) {
        precondition(values.count == Self.valueCount, "\(values.count) values are not the sums of an evaluation")
        self.values = Array(values)
    }

    public static func += (a: inout EvaluationSums, b: EvaluationSums) {
        for index in a.values.indices { a.values[index] += b.values[index] }
    }

    /// Adds one target.
    ///
    /// - Parameters:
    /// - crossEntropy: cross-entropy of the target, in nats.
    /// - entropy: entropy of the prediction, in nats. NaN counts as the highest.
    /// - confidence: probability of the most likely token. NaN counts as the highest.
    /// - isCorrect: whether the target is the most likely token.
    /// - frequency: the target's bucket (``FrequencyBuckets``); nil if frequencies are unknown.
    public mutating func add(
        crossEntropy: Double, entropy: Double, confidence: Double, isCorrect: Bool, frequency: Int?
    ) {
        count(crossEntropy, at: 0)
        if let frequency { count(crossEntropy, at: Self.frequencyStart + 2 * frequency) }
        let last = Self.entropyNames.count - 1
        // Rounding may give an entropy just below 0.
        let bucket = entropy < 1 ? 0 : entropy < Double(last) ? Int(entropy) : last
        count(crossEntropy, at: Self.entropyStart + 2 * bucket)
        // Bin m holds the confidences above m / 15, up to (m + 1) / 15.
        let scaled = confidence * Double(Self.calibrationBins)
        let bin =
            scaled <= 1
            ? 0 : scaled <= Double(Self.calibrationBins - 1) ? Int(scaled.rounded(.up)) - 1 : Self.calibrationBins - 1
        let start = Self.calibrationStart + 3 * bin
        values[start] += confidence
        values[start + 1] += isCorrect ? 1 : 0
        values[start + 2] += 1
    }

    /// Adds bytes of the targets' text.
    public mutating func add(bytes: Int) { values[Self.bytesIndex] += Double(bytes) }

    private mutating func count(_ crossEntropy: Double, at start: Int) {
        values[start] += crossEntropy
        values[start + 1] += 1
    }
}

extension EvaluationSums {
    /// All targets that are not ignored.
    public var all: Bucket { bucket(at: 0) }

    public var bytes: Int { Int(values[Self.bytesIndex]) }

    /// The targets by their frequency in training: high, medium, low.
    public var frequency: [(name: String, bucket: Bucket)] {
        buckets(FrequencyBuckets.names, from: Self.frequencyStart)
    }

    /// The targets by the entropy of their prediction.
    public var entropy: [(name: String, bucket: Bucket)] { buckets(Self.entropyNames, from: Self.entropyStart) }

    /// The expected calibration error: `|accuracy - mean confidence|` of each bin, weighted by the bin's share of the
    /// predictions (Guo et al. 2017, arXiv 1706.04599, equation 3). NaN without targets.
    public var calibrationError: Double {
        guard all.targets > 0 else { return .nan }
        let sum = (0..<Self.calibrationBins).reduce(0) { sum, bin in
            let start = Self.calibrationStart + 3 * bin
            return sum + abs(values[start + 1] - values[start])
        }
        return sum / Double(all.targets)
    }

    private func bucket(at start: Int) -> Bucket {
        Bucket(targets: Int(values[start + 1]), crossEntropySum: values[start])
    }

    private func buckets(_ names: [String], from start: Int) -> [(name: String, bucket: Bucket)] {
        names.enumerated().map { ($0.element, bucket(at: start + 2 * $0.offset)) }
    }
}
