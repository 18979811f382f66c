// SwiGLU - the gated activation of the MLP (Shazeer, arXiv 2002.05202): s = silu(gate) * up, silu(g) = g / (1 + e^-g).
//
// Legend: N tokens, F features. A row of gateUp_N2F holds gate and up of one token side by side, from one matmul.

public import Tensors

/// The gated activation between the linear layers of the MLP.
public enum SwiGLU {
    /// `s = silu(gate) * up`.
    ///
    /// - Parameters:
    ///   - gateUp: `[N, 2F]`, gate first.
    ///   - s: output, `[N, F]`.
    public static func forward(_ pool: ThreadPool, gateUp: FloatSlice, features F: Int, into s: OperandSlice) {
        precondition(gateUp.count == 2 * s.count && s.count % F == 0, "SwiGLU: \(gateUp.count) and \(s.count) floats")
        switch s {
        case .fp32(let s): forward(pool, gateUp.view, F, into: s.view)
        case .bf16(let s): forward(pool, gateUp.view, F, into: s.view)
        }
    }

    @inline(__always)
    private static func forward(_ pool: ThreadPool, _ gateUp_N2F: FloatView, _ F: Int, into s_NF: some LaneBuffer) {
        pool.runRanges(count: s_NF.count / F, grain: tokenTile) { tokens, _ in
            for n in tokens {
                let gate = gateUp_N2F.advanced(by: 2 * n * F, count: F)
                let up = gateUp_N2F.advanced(by: (2 * n + 1) * F, count: F)
                mapLanes(gate, up, into: s_NF.advanced(by: n * F, count: F)) { gate, up in
                    let one = Lanes(repeating: 1)
                    return gate * (one / (one + exponential(Lanes(repeating: 0) - gate))) * up
                }
            }
        }
    }

    /// The gradients of gate and up, and the recomputed output.
    ///
    /// Why it recomputes the output: that needs no stored `[N, F]`, and the gradients need the exponential anyway.
    ///
    /// `dup = ds * silu(gate)`, `dgate = ds * up * sig * (1 + gate * (1 - sig))` with `sig = sigmoid(gate)`.
    ///
    /// - Parameters:
    ///   - ds: gradient of the output, `[N, F]`.
    ///   - gateUp: `[N, 2F]`.
    ///   - dgateUp: receives the gradients, `[N, 2F]`, in the compute dtype of matmuls; may be `gateUp`.
    ///   - s: receives the output, `[N, F]`, in the compute dtype of matmuls.
    public static func backward(
        _ pool: ThreadPool, ds: FloatSlice, features F: Int, gateUp: FloatSlice, into dgateUp: OperandSlice,
        output s: OperandSlice
    ) {
        precondition(
            gateUp.count == 2 * ds.count && ds.count % F == 0 && dgateUp.count == gateUp.count && s.count == ds.count,
            "SwiGLU: \(gateUp.count), \(ds.count), \(dgateUp.count) and \(s.count) floats")
        switch (dgateUp, s) {
        case (.fp32(let dgateUp), .fp32(let s)): backward(pool, ds.view, F, gateUp.view, into: dgateUp.view, s.view)
        case (.bf16(let dgateUp), .bf16(let s)): backward(pool, ds.view, F, gateUp.view, into: dgateUp.view, s.view)
        default: preconditionFailure("SwiGLU: outputs of two formats")
        }
    }

    @inline(__always)
    private static func backward(
        _ pool: ThreadPool, _ ds_NF: FloatView, _ F: Int, _ gateUp_N2F: FloatView, into dgateUp_N2F: some LaneBuffer,
        _ s_NF: some LaneBuffer
    ) {
        pool.runRanges(count: ds_NF.count / F, grain: tokenTile) { tokens, _ in
            for n in tokens {
                let ds = ds_NF.advanced(by: n * F, count: F)
                let (gateAt, upAt) = (2 * n * F, (2 * n + 1) * F)
                mapLaneTriples(
                    ds, gateUp_N2F.advanced(by: gateAt, count: F), gateUp_N2F.advanced(by: upAt, count: F),
                    into: dgateUp_N2F.advanced(by: gateAt, count: F), dgateUp_N2F.advanced(by: upAt, count: F),
                    s_NF.advanced(by: n * F, count: F)
                ) { ds, gate, up in
                    // Why spelt out: a function of its own is not inlined into the bf16 loop.
                    let one = Lanes(repeating: 1)
                    let sig = one / (one + exponential(Lanes(repeating: 0) - gate))
                    let silu = gate * sig
                    return (ds * up * sig * one.addingProduct(gate, one - sig), ds * silu, silu * up)
                }
            }
        }
    }
}
