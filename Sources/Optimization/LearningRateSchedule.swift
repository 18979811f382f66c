// LearningRateSchedule - warm-up and decay of the learning rate (configuration key `schedule`).

internal import Glibc

/// Learning rate as a function of the update number (design section 4).
public struct LearningRateSchedule: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        case cosine
        case linear
        case constant
        /// Warmup-stable-decay: the base until the last ``decaySteps`` updates, then a decay of ``decayShape``.
        ///
        /// Hu et al. 2024 (MiniCPM, arXiv 2404.06395) and Haegele et al. 2024 (arXiv 2405.18392).
        case wsd
    }

    /// How the learning rate falls in the decay of ``Kind/wsd``.
    public enum DecayShape: String, Sendable, CaseIterable {
        case linear
        case cosine
        /// `1 - sqrt(x)`, which falls fast first.
        case sqrt

        /// The factor, from 1 down to 0, after the share `x` (0 ... 1) of the decay.
        func factor(_ x: Double) -> Double {
            switch self {
            case .linear: 1 - x
            case .cosine: (1 + cos(Double.pi * x)) / 2
            case .sqrt: 1 - x.squareRoot()
            }
        }
    }

    public var kind: Kind
    public var warmupSteps: Int
    public var totalSteps: Int
    /// Share of the base learning rate that the decay would reach at update `totalSteps + 1`, the first one after the
    /// run.
    public var minimumRatio: Double
    /// Updates of the decay of ``Kind/wsd``, the last ones of the run; 0: no decay.
    public var decaySteps: Int
    public var decayShape: DecayShape

    public init(
        kind: Kind = .cosine, warmupSteps: Int = 1000, totalSteps: Int = 100_000, minimumRatio: Double = 0,
        decaySteps: Int = 0, decayShape: DecayShape = .linear
    ) {
        self.kind = kind
        self.warmupSteps = warmupSteps
        self.totalSteps = totalSteps
        self.minimumRatio = minimumRatio
        self.decaySteps = decaySteps
        self.decayShape = decayShape
    }

    /// The factor on the base learning rate for update `step` (1 ... totalSteps).
    ///
    /// The decay's progress is 0 at the first update after the warm-up and 1 at update `totalSteps + 1`. Update s has
    /// the factor of index s - 1 in `transformers.get_cosine_schedule_with_warmup` and `torch`'s `CosineAnnealingLR`.
    ///
    /// The decay of `wsd` has the progress 0 at update `totalSteps - decaySteps + 1`, which still has the base, and 1
    /// at update `totalSteps + 1`. The last update has the progress `(decaySteps - 1) / decaySteps`. After the warm-up,
    /// update s has the factor of index s - 1 in `transformers.get_wsd_schedule`.
    public func factor(step: Int) -> Double {
        if step <= warmupSteps { return Double(step) / Double(warmupSteps) }
        let span = totalSteps - warmupSteps
        let progress = span > 0 ? Double(step - 1 - warmupSteps) / Double(span) : 0
        switch kind {
        case .cosine: return minimumRatio + (1 - minimumRatio) * (1 + cos(Double.pi * progress)) / 2
        case .linear: return 1 - (1 - minimumRatio) * progress
        case .constant: return 1
        case .wsd:
            let index = step - 1 - (totalSteps - decaySteps)
            guard decaySteps > 0, index > 0 else { return 1 }
            let share = Double(index) / Double(decaySteps)
            return minimumRatio + (1 - minimumRatio) * decayShape.factor(share)
        }
    }
}
