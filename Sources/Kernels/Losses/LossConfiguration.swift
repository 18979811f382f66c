// LossConfiguration - token weights and normalization of the loss (design section 2, configuration key `loss`).

/// The token-weighted loss of a run: the section `loss` of the configuration.
public struct LossConfiguration: Sendable, Equatable {
    /// How a token's weight follows from its prediction.
    public enum Kind: String, Sendable, CaseIterable {
        /// `(sigma + H)^gamma`, H the entropy of the prediction in nats (Su et al., arXiv 2310.19531).
        case mile
        /// `(1 - p_y)^gamma` (Lin et al., arXiv 1708.02002).
        case focal
        /// The weight 1: plain cross-entropy.
        case crossEntropy = "cross_entropy"
    }

    /// The divisor of the weighted sum.
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
    /// Number of ranks of the authors' trainer under `reference`; 0: the number of MPI ranks.
    public var referenceRanks: Int
    /// Lower bound of probabilities inside H (the authors' code: 1e-8); 0: exact entropy.
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
