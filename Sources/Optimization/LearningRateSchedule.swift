// LearningRateSchedule - warm-up and decay of the learning rate (configuration key `schedule`).

internal import Glibc

/// Learning rate as a function of the update number (design section 4).
public struct LearningRateSchedule: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        case cosine
        case linear
        case constant
    }

    public var kind: Kind
    public var warmupSteps: Int
    public var totalSteps: Int
    /// Share of the base learning rate that the decay would reach at update `totalSteps + 1`, the first one after the run.
    public var minimumRatio: Double

    public init(
        kind: Kind = .cosine, warmupSteps: Int = 1000, totalSteps: Int = 100_000, minimumRatio: Double = 0
    ) {
        self.kind = kind
        self.warmupSteps = warmupSteps
        self.totalSteps = totalSteps
        self.minimumRatio = minimumRatio
    }

    /// The factor on the base learning rate for update `step` (1 ... totalSteps).
    ///
    /// The decay's progress is 0 at the first update after the warm-up and 1 at update `totalSteps + 1`. Update s has the
    /// factor of index s - 1 in `transformers.get_cosine_schedule_with_warmup` and `torch`'s `CosineAnnealingLR`.
    public func factor(step: Int) -> Double {
        if step <= warmupSteps { return Double(step) / Double(warmupSteps) }
        let span = totalSteps - warmupSteps
        let progress = span > 0 ? Double(step - 1 - warmupSteps) / Double(span) : 0
        switch kind {
        case .cosine: return minimumRatio + (1 - minimumRatio) * (1 + cos(Double.pi * progress)) / 2
        case .linear: return 1 - (1 - minimumRatio) * progress
        case .constant: return 1
        }
    }
}
