// ReferenceHead - logits, losses, weights and gradients of the token-weighted loss (design section 2).

/// The rule of token weights.
public enum ReferenceWeight: Sendable, Equatable {
    /// `(sigma + H)^gamma` (Su et al., arXiv 2310.19531).
    case mile(gamma: Double, sigma: Double)
    /// `(1 - p_y)^gamma` (Lin et al., arXiv 1708.02002).
    case focal(gamma: Double)
    case crossEntropy
}

/// The head's results for N tokens over a vocabulary of V.
public struct ReferenceHead: Sendable {
    /// `[N, V]`.
    public private(set) var probabilities: [Double] = []
    /// `-ln p_y`, 0 where the target is ignored (below 0).
    public private(set) var crossEntropy: [Double] = []
    /// `-sum p ln p` in nats; with a floor, both factors use `max(p, floor)`.
    public private(set) var entropy: [Double] = []
    public private(set) var weight: [Double] = []
    /// `w (p - onehot(y))` per token, 0 where ignored: the gradient of `sum w CE` with w held. `[N, V]`.
    public private(set) var logitGradient: [Double] = []

    public init(
        logits: [Double], targets: [Int32], weighting: ReferenceWeight, probabilityFloor: Double = 0
    ) {
        let V = logits.count / targets.count
        for (n, target) in targets.enumerated() {
            let p = Reference.softmax(Array(logits[(n * V)..<((n + 1) * V)]))
            let H = -p.reduce(0) { sum, p in
                let bounded = max(p, probabilityFloor)
                return sum + (bounded > 0 ? bounded * logarithm(bounded) : 0)
            }
            let targetProbability = target >= 0 ? p[Int(target)] : 1
            let w: Double
            switch weighting {
            case .mile(let gamma, let sigma): w = power(sigma + H, gamma)
            case .focal(let gamma): w = power(1 - targetProbability, gamma)
            case .crossEntropy: w = 1
            }
            probabilities += p
            crossEntropy.append(-logarithm(targetProbability))
            entropy.append(H)
            weight.append(w)
            logitGradient += p.indices.map { target < 0 ? 0 : w * (p[$0] - ($0 == Int(target) ? 1 : 0)) }
        }
    }
}
