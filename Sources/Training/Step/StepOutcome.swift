// StepOutcome - the numbers of one step, for metrics, progress and the loop's next decision.

public import Kernels

/// The result of a step; the same on every rank.
public struct StepOutcome: Sendable, Equatable {
    public var loss: NormalizedLoss
    /// Norm of the normalised gradient before clipping; NaN where the gradient could not be added.
    public var gradientNorm: Double
    public var learningRate: Double
    /// Target tokens of the step, ignored targets included.
    public var tokens: Int
    /// The update was left out: something was not finite, the loss was a spike, or no target counted.
    public var isSkipped: Bool
    /// The weights of the step's targets sum to 0, as where all are ignored: the loss is undefined and not a number.
    public var isWithoutTargets = false
    /// The loss stands too far above the losses of the steps before.
    public var isSpike = false
    /// Some rank was asked to stop.
    public var isStopRequested: Bool
    /// Ranks and sequences whose numbers were not finite, for people.
    public var offendingRanks: [String] = []
    /// Sequences that each rank computed.
    public var rankSequences: [Int] = []
    /// Seconds for which each rank computed its micro-batches; a straggler's stand out.
    public var rankSeconds: [Double] = []
}
