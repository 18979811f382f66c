// EvaluationSums - what evaluated targets add up to: losses, buckets, calibration, bytes.

/// Sums over targets, in double. Those of several sequences are added element by element, in the sequences' order.
public struct EvaluationSums: Sendable, Equatable {
    /// Part of the targets.
    public struct Bucket: Sendable, Equatable {
        public let targets: Int
        /// nats
        public let crossEntropySum: Double

        /// Mean CE, nats; NaN without targets.
        public var crossEntropy: Double { targets > 0 ? crossEntropySum / Double(targets) : .nan }
    }

    /// H of the prediction in nats, from one whole number to the next; the last bucket has no end.
    static let entropyNames = (0..<6).map { "\($0)-\($0 + 1)" } + ["6+"]
    /// Bins of equal width that confidences are sorted into (Guo et al. 2017, arXiv 1706.04599).
    static let calibrationBins = 15

    // What is stored: CE and number of all targets, bytes; CE and number by frequency, then by entropy; by confidence its
    // sum, the number of correct predictions, and the number of predictions.
    private static let bytesIndex = 2
    private static let frequencyStart = 3
    private static let entropyStart = frequencyStart + 2 * FrequencyBuckets.names.count
    private static let calibrationStart = entropyStart + 2 * entropyNames.count
    /// Number of ``values``.
    static let valueCount = calibrationStart + 3 * calibrationBins

    /// The sums as a list, for messages. Counts are whole numbers.
    private(set) var values: [Double]

    public init() { values = [Double](repeating: 0, count: Self.valueCount) }

    /// The reverse of ``values``; traps on another count.
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
    ///   - crossEntropy: nats.
    ///   - entropy: H of the prediction, nats. One that is not a number counts as the highest.
    ///   - confidence: probability of the most likely token. One that is not a number counts as the highest.
    ///   - isCorrect: whether the target is that token.
    ///   - frequency: the target's bucket (``FrequencyBuckets``); nil where frequencies are not known.
    public mutating func add(
        crossEntropy: Double, entropy: Double, confidence: Double, isCorrect: Bool, frequency: Int?
    ) {
        count(crossEntropy, at: 0)
        if let frequency { count(crossEntropy, at: Self.frequencyStart + 2 * frequency) }
        let last = Self.entropyNames.count - 1
        // Rounding may leave an entropy of 0 a little below.
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

    /// Adds bytes of text that the targets stand for.
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

    /// The targets by how frequent they are in training: high, medium, low.
    public var frequency: [(name: String, bucket: Bucket)] {
        buckets(FrequencyBuckets.names, from: Self.frequencyStart)
    }

    /// The targets by the entropy of their prediction.
    public var entropy: [(name: String, bucket: Bucket)] { buckets(Self.entropyNames, from: Self.entropyStart) }

    /// The expected calibration error: `|accuracy - mean confidence|` of every bin, weighted by its share of the predictions
    /// (Guo et al. 2017, arXiv 1706.04599, equation 3). NaN without targets.
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
