// TokenWeighting - the weight of each token in the loss, made once from the section `loss` (design section 2).

internal import Glibc

/// A model's prediction of one token, as far as a weight may depend on it.
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
    /// Probabilities below it count as this much inside H; 0: exact entropy.
    public let probabilityFloor: Double
    private let rule: @Sendable (TokenPrediction) -> Double

    /// - Parameter rule: the weight of a prediction; any finite number, and not a number where the prediction is none.
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
    /// The weighting that the section describes: `(sigma + H)^gamma` (Su et al., arXiv 2310.19531, equation 5), `(1 - p_y)^gamma`
    /// (Lin et al., arXiv 1708.02002) or 1.
    public var tokenWeighting: TokenWeighting {
        let (sigma, gamma) = (sigma, gamma)
        switch kind {
        case .mile:
            return TokenWeighting(probabilityFloor: probabilityFloor) { Self.power(sigma + max($0.entropy, 0), gamma) }
        case .focal:
            // 1 - e^-ce without cancellation for confident predictions.
            return TokenWeighting(probabilityFloor: probabilityFloor) {
                Self.power(max(-expm1(-$0.crossEntropy), 0), gamma)
            }
        case .crossEntropy: return TokenWeighting(probabilityFloor: probabilityFloor) { _ in 1 }
        }
    }

    /// `base^exponent`; exact for the two exponents that matter most, so that gamma 0 is cross-entropy to the bit.
    private static func power(_ base: Double, _ exponent: Double) -> Double {
        if exponent == 0 { return 1 }
        if exponent == 1 { return base }
        return pow(base, exponent)
    }
}
