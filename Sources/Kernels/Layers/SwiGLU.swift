// SwiGLU - the gated activation of the MLP (Shazeer, arXiv 2002.05202): s = silu(gate) * up, silu(g) = g / (1 + e^-g).
//
// Legend: N tokens, F features. gateUp_N2F holds a token's gate and up side by side: they come from one product.

public import Tensors

public enum SwiGLU {
    /// `s = silu(gate) * up`.
    ///
    /// - Parameters:
    ///   - gateUp: `[N, 2F]`, gate first.
    ///   - s: output, `[N, F]`.
    public static func forward(_ pool: ThreadPool, gateUp: FloatSlice, features F: Int, into s: FloatSlice) {
        precondition(gateUp.count == 2 * s.count && s.count % F == 0, "SwiGLU: \(gateUp.count) and \(s.count) floats")
        let (gateUp_N2F, s_NF) = (gateUp.view, s.view)
        pool.runRanges(count: s.count / F, grain: tokenTile) { tokens, _ in
            for n in tokens {
                let gate = gateUp_N2F.advanced(by: 2 * n * F, count: F)
                let up = gateUp_N2F.advanced(by: (2 * n + 1) * F, count: F)
                mapLanes(gate, up, into: s_NF.advanced(by: n * F, count: F)) { gate, up in
                    gate * sigmoid(gate) * up
                }
            }
        }
    }

    /// Replaces gate and up by their gradients.
    ///
    /// `dup = ds * silu(gate)`, `dgate = ds * up * sig * (1 + gate * (1 - sig))` with `sig = sigmoid(gate)`.
    ///
    /// - Parameters:
    ///   - ds: gradient of the output, `[N, F]`.
    ///   - gateUp: `[N, 2F]`; overwritten with the gradients.
    public static func backward(_ pool: ThreadPool, ds: FloatSlice, features F: Int, gateUp: FloatSlice) {
        precondition(gateUp.count == 2 * ds.count && ds.count % F == 0, "SwiGLU: \(gateUp.count), \(ds.count) floats")
        let (ds_NF, gateUp_N2F) = (ds.view, gateUp.view)
        pool.runRanges(count: ds.count / F, grain: tokenTile) { tokens, _ in
            for n in tokens {
                let ds = ds_NF.advanced(by: n * F, count: F)
                let gate = gateUp_N2F.advanced(by: 2 * n * F, count: F)
                let up = gateUp_N2F.advanced(by: (2 * n + 1) * F, count: F)
                mapLanePairs(ds, gate, up, into: gate, up) { ds, gate, up in
                    let sig = sigmoid(gate)
                    let one = Lanes(repeating: 1)
                    return (ds * up * sig * one.addingProduct(gate, one - sig), ds * gate * sig)
                }
            }
        }
    }

    @inline(__always)
    private static func sigmoid(_ x: Lanes) -> Lanes {
        let one = Lanes(repeating: 1)
        return one / (one + exponential(Lanes(repeating: 0) - x))
    }
}
