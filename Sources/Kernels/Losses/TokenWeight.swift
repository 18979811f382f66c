// TokenWeight - the weight of one token (design section 2).

internal import Glibc

extension LossConfiguration {
    /// The weight of a target, detached from the gradient.
    ///
    /// - Parameters:
    ///   - entropy: H of the prediction, nats.
    ///   - crossEntropy: -ln p_y of the target.
    /// - Returns: `(sigma + H)^gamma`, `(1 - p_y)^gamma` or 1 (Su et al., arXiv 2310.19531, equation 5; Lin et al.,
    ///   arXiv 1708.02002).
    public func weight(entropy: Double, crossEntropy: Double) -> Double {
        switch kind {
        case .mile: return power(sigma + max(entropy, 0))
        // 1 - e^-ce without cancellation for confident predictions.
        case .focal: return power(max(-expm1(-crossEntropy), 0))
        case .crossEntropy: return 1
        }
    }

    /// `base^gamma`; exact for the two exponents that matter most, so that gamma 0 is cross-entropy to the bit.
    private func power(_ base: Double) -> Double {
        if gamma == 0 { return 1 }
        if gamma == 1 { return base }
        return pow(base, gamma)
    }
}
