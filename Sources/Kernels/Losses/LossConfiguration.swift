// LossConfiguration - which token weights, and how they are normalised (design section 2, configuration key `loss`).

/// The token-weighted loss of a run. Key `loss` of the configuration.
public struct LossConfiguration: Sendable, Equatable {
    /// How a token's weight follows from its prediction.
    public enum Kind: String, Sendable, CaseIterable {
        /// `(sigma + H)^gamma`, H the entropy of the prediction in nats (Su et al., arXiv 2310.19531).
        case mile
        /// `(1 - p_y)^gamma` (Lin et al., arXiv 1708.02002).
        case focal
        /// 1.
        case crossEntropy = "cross_entropy"
    }

    /// What the weighted sum is divided by.
    public enum Normalization: String, Sendable, CaseIterable {
        /// The sum of all weights of the optimizer step: independent of ranks and micro-batches.
        case global
        /// The authors' published trainer: per accumulation step, the mean over ranks of `1 / mean(w)`.
        case reference
    }

    public var kind: Kind
    public var gamma: Double
    public var sigma: Double
    public var normalization: Normalization
    /// Ranks that the authors' trainer would have had; 0: the MPI ranks. For `reference` only.
    public var referenceRanks: Int
    /// Probabilities below it count as this much inside H (the authors: 1e-8); 0: exact entropy.
    public var probabilityFloor: Double

    public init(
        kind: Kind = .mile, gamma: Double = 1, sigma: Double = 1, normalization: Normalization = .global,
        referenceRanks: Int = 0, probabilityFloor: Double = 0
    ) {
        self.kind = kind
        self.gamma = gamma
        self.sigma = sigma
        self.normalization = normalization
        self.referenceRanks = referenceRanks
        self.probabilityFloor = probabilityFloor
    }
}
