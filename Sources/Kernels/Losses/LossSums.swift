// LossSums - sums of one micro-batch for the loss, and the step's numbers that follow from them.

/// Sums over the targets of one micro-batch, in double. Sums of several micro-batches and ranks are added one by one.
public struct LossSums: Sendable, Equatable {
    /// Sum of w * CE over non-ignored targets.
    public var weightedCrossEntropy = 0.0
    /// Sum of w over non-ignored targets.
    public var weight = 0.0
    /// Sum of w over all positions, ignored ones too (for `normalization: reference`).
    public var weightOfAllPositions = 0.0
    /// Sum of CE over non-ignored targets, nats.
    public var crossEntropy = 0.0
    /// Sum of H over non-ignored targets, nats.
    public var entropy = 0.0
    /// Non-ignored targets.
    public var targets = 0.0
    /// Positions, ignored targets included.
    public var positions = 0.0

    public init() {}

    /// The sums as a list, for reductions.
    public var values: [Double] {
        [weightedCrossEntropy, weight, weightOfAllPositions, crossEntropy, entropy, targets, positions]
    }

    /// Number of ``values``.
    public static let valueCount = LossSums().values.count

    /// The reverse of ``values``; traps on another count.
    public init(values: [Double]) {
        precondition(values.count == Self.valueCount, "\(values.count) values are not the sums of a loss")
        weightedCrossEntropy = values[0]
        weight = values[1]
        weightOfAllPositions = values[2]
        crossEntropy = values[3]
        entropy = values[4]
        targets = values[5]
        positions = values[6]
    }

    public static func + (a: LossSums, b: LossSums) -> LossSums {
        LossSums(values: zip(a.values, b.values).map { $0 + $1 })
    }
}

/// The loss and other normalized numbers of an optimizer step.
public struct NormalizedLoss: Sendable, Equatable {
    /// The objective.
    public let loss: Double
    /// Plain mean CE over non-ignored targets, nats.
    public let crossEntropy: Double
    /// Mean H over non-ignored targets, nats.
    public let entropy: Double
    /// `N / sum w` for `global`; the mean of the accumulation steps' alpha for `reference`.
    public let alpha: Double

    public init(loss: Double, crossEntropy: Double, entropy: Double, alpha: Double) {
        self.loss = loss
        self.crossEntropy = crossEntropy
        self.entropy = entropy
        self.alpha = alpha
    }
}

extension LossSums {
    /// The step's numbers under `normalization: global`: all sums divided by `sum w` over every target of the step.
    ///
    /// The gradient of the loss is the accumulated `sum w dCE` times `1 / sum w`. Loss and gradient are 0 in a step
    /// whose targets are all ignored.
    public var normalizedGlobally: NormalizedLoss {
        NormalizedLoss(
            loss: weight != 0 ? weightedCrossEntropy / weight : 0,
            crossEntropy: targets != 0 ? crossEntropy / targets : 0, entropy: targets != 0 ? entropy / targets : 0,
            alpha: weight != 0 ? targets / weight : 0)
    }

    /// The numbers of a step whose weights sum to 0: loss and alpha are NaN. CE and entropy are NaN without targets.
    public var undefinedLoss: NormalizedLoss {
        NormalizedLoss(
            loss: .nan, crossEntropy: targets != 0 ? crossEntropy / targets : .nan,
            entropy: targets != 0 ? entropy / targets : .nan, alpha: .nan)
    }

    /// Factor on the accumulated gradient under `normalization: global`: `1 / sum w`.
    public var globalGradientScale: Double { weight != 0 ? 1 / weight : 0 }
}

/// One accumulation step of the authors' trainer (`normalization: reference`): each micro-batch plays one of its ranks.
public struct ReferenceAccumulationStep: Sendable, Equatable {
    /// Mean over the micro-batches of `1 / mean(w)`, the mean over all positions of the micro-batch.
    public let alpha: Double
    /// `alpha` times the mean over the micro-batches of `mean(w * CE)`.
    public let loss: Double
    /// Per micro-batch: factor on its unnormalised gradient `sum w dCE`.
    public let scales: [Double]

    /// - Parameter microBatches: sums of the micro-batches that form the accumulation step, at least one.
    public init(microBatches: [LossSums]) {
        precondition(!microBatches.isEmpty, "an accumulation step has at least one micro-batch")
        let count = Double(microBatches.count)
        let alpha =
            microBatches.reduce(0) {
                $0 + ($1.weightOfAllPositions != 0 ? $1.positions / $1.weightOfAllPositions : 0)
            } / count
        self.alpha = alpha
        scales = microBatches.map { $0.positions != 0 ? alpha / (count * $0.positions) : 0 }
        loss = zip(microBatches, scales).reduce(0) { $0 + $1.0.weightedCrossEntropy * $1.1 }
    }
}
