// TokenWeighting - the weight of each token in the loss, made once from the section `loss` (design section 2).

internal import Glibc

/// The numbers of a token's prediction that its weight may depend on.
public struct TokenPrediction: Sendable {
    /// Entropy H of the prediction, nats.
    public let entropy: Double
    /// -ln p_y of the target y, nats; 0 where the target is ignored.
    public let crossEntropy: Double

    public init(entropy: Double, crossEntropy: Double) {
        self.entropy = entropy
        self.crossEntropy = crossEntropy
    }
}

/// A rule that gives each target its weight. The gradient of the loss takes weights as constants.
public struct TokenWeighting: Sendable {
    /// Lower bound of probabilities inside H; 0: exact entropy.
    public let probabilityFloor: Double
    private let rule: @Sendable (TokenPrediction) -> Double

    /// - Parameter rule: the weight of a prediction: a finite number, or NaN where the prediction holds NaN.
    public init(probabilityFloor: Double = 0, _ rule: @escaping @Sendable (TokenPrediction) -> Double) {
        self.probabilityFloor = probabilityFloor
        self.rule = rule
    }

    /// The weight of a target.
    public func weight(_ prediction: TokenPrediction) -> Double { rule(prediction) }

    /// Every target counts 1: plain cross-entropy.
    public static let uniform = TokenWeighting { _ in 1 }
}

extension LossConfiguration {
    /// The weighting of ``kind``.
    ///
    /// It is `(sigma + H)^gamma` (Su et al., arXiv 2310.19531, equation 5), `(1 - p_y)^gamma` (Lin et al., arXiv
    /// 1708.02002) or 1.
    public var tokenWeighting: TokenWeighting {
        let (sigma, gamma) = (sigma, gamma)
        switch kind {
        case .mile:
            return TokenWeighting(probabilityFloor: probabilityFloor) { Self.power(sigma + max($0.entropy, 0), gamma) }
        case .focal:
            // 1 - e^-CE. `expm1` avoids cancellation for confident predictions.
            return TokenWeighting(probabilityFloor: probabilityFloor) {
                Self.power(max(-expm1(-$0.crossEntropy), 0), gamma)
            }
        case .crossEntropy: return TokenWeighting(probabilityFloor: probabilityFloor) { _ in 1 }
        }
    }

    /// `base^exponent`, without rounding for exponents 0 and 1. Why: gamma 0 then gives the bits of cross-entropy.
    private static func power(_ base: Double, _ exponent: Double) -> Double {
        if exponent == 0 { return 1 }
        if exponent == 1 { return base }
        return pow(base, exponent)
    }
}
