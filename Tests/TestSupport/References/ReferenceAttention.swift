// ReferenceAttention - causal grouped-query attention inside documents, one score at a time.

/// Sizes as in the kernel's legend: B sequences, T positions, H query heads, K key/value heads, Dh features per head; a
/// token's row is `[q: H * Dh | k: K * Dh | v: K * Dh]`.
public struct ReferenceAttention: Sendable {
    let B, T, H, K, Dh: Int
    /// Positions of the batch, b * T + t, at which a document begins. Each sequence begins one.
    let documents: Set<Int>

    public init(
        sequences: Int, positions: Int, heads: Int, keyValueHeads: Int, headSize: Int, documents: Set<Int> = []
    ) {
        (B, T, H, K, Dh) = (sequences, positions, heads, keyValueHeads, headSize)
        self.documents = documents
    }

    /// The keys that query i of sequence b sees: from the start of its document to itself.
    private func seen(_ b: Int, _ i: Int) -> ClosedRange<Int> {
        var first = i
        while first > 0 && !documents.contains(b * T + first) { first -= 1 }
        return first...i
    }

    /// `[B * T, H * Dh]`: `out_i = sum_j softmax_j(q_i k_j / sqrt(Dh)) v_j` over the keys j that query i sees.
    public func output(_ qkv: [Double]) -> [Double] {
        var out = [Double](repeating: 0, count: B * T * H * Dh)
        forEachQuery(qkv) { b, h, i, p in
            for j in seen(b, i) {
                for d in 0..<Dh { out[outputIndex(b, i, h, d)] += p[j] * qkv[valueIndex(b, j, h, d)] }
            }
        }
        return out
    }

    /// `[B, H, T]`: the logarithm of the sum of the exponentials of each query's scaled scores.
    public func logSumExp(_ qkv: [Double]) -> [Double] {
        var result: [Double] = []
        for b in 0..<B {
            for h in 0..<H {
                for i in 0..<T {
                    result.append(logarithm(seen(b, i).reduce(0) { $0 + exponential(score(qkv, b, h, i, $1)) }))
                }
            }
        }
        return result
    }

    /// Gradients of q, k and v for `sum dout out`, through the softmax's Jacobian `dp_j/ds_l = p_j (delta_jl - p_l)`.
    public func gradient(_ qkv: [Double], outputGradient: [Double]) -> [Double] {
        var qkvGradient = [Double](repeating: 0, count: qkv.count)
        let scale = 1 / Double(Dh).squareRoot()
        forEachQuery(qkv) { b, h, i, p in
            var probabilityGradients = [Double](repeating: 0, count: i + 1)
            for j in seen(b, i) {
                for d in 0..<Dh {
                    let outGradient = outputGradient[outputIndex(b, i, h, d)]
                    probabilityGradients[j] += outGradient * qkv[valueIndex(b, j, h, d)]
                    qkvGradient[valueIndex(b, j, h, d)] += p[j] * outGradient
                }
            }
            for l in seen(b, i) {
                var scoreGradient = 0.0
                for j in seen(b, i) {
                    scoreGradient +=
                        probabilityGradients[j] * p[j] * ((j == l ? 1 : 0) - p[l])
                }
                for d in 0..<Dh {
                    qkvGradient[queryIndex(b, i, h, d)] += scale * scoreGradient * qkv[keyIndex(b, l, h, d)]
                    qkvGradient[keyIndex(b, l, h, d)] += scale * scoreGradient * qkv[queryIndex(b, i, h, d)]
                }
            }
        }
        return qkvGradient
    }

    /// Calls `body` with the probability of each key up to the query's own; 0 for a key that the query does not see.
    private func forEachQuery(
        _ qkv: [Double], _ body: (_ b: Int, _ h: Int, _ i: Int, _ p: [Double]) -> Void
    ) {
        for b in 0..<B {
            for h in 0..<H {
                for i in 0..<T {
                    let seen = seen(b, i)
                    let p = Reference.softmax(seen.map { score(qkv, b, h, i, $0) })
                    body(b, h, i, [Double](repeating: 0, count: seen.lowerBound) + p)
                }
            }
        }
    }

    private func score(_ qkv: [Double], _ b: Int, _ h: Int, _ i: Int, _ j: Int) -> Double {
        (0..<Dh).reduce(0) { $0 + qkv[queryIndex(b, i, h, $1)] * qkv[keyIndex(b, j, h, $1)] } / Double(Dh).squareRoot()
    }

    private func queryIndex(_ b: Int, _ t: Int, _ h: Int, _ d: Int) -> Int { rowStart(b, t) + h * Dh + d }
    private func keyIndex(_ b: Int, _ t: Int, _ h: Int, _ d: Int) -> Int { rowStart(b, t) + (H + h / (H / K)) * Dh + d }
    private func valueIndex(_ b: Int, _ t: Int, _ h: Int, _ d: Int) -> Int { keyIndex(b, t, h, d) + K * Dh }
    private func outputIndex(_ b: Int, _ t: Int, _ h: Int, _ d: Int) -> Int { ((b * T + t) * H + h) * Dh + d }
    private func rowStart(_ b: Int, _ t: Int) -> Int { (b * T + t) * (H + 2 * K) * Dh }
}
