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
    ///   - outputGradient: ds, `[N, F]`.
    ///   - gateUp: `[N, 2F]`.
    ///   - gateUpGradient: receives dgate and dup, `[N, 2F]`, in the compute dtype of matmuls; may be `gateUp`.
    ///   - s: receives the output, `[N, F]`, in the compute dtype of matmuls.
    public static func backward(
        _ pool: ThreadPool, outputGradient: FloatSlice, features F: Int, gateUp: FloatSlice,
        into gateUpGradient: OperandSlice,
        output s: OperandSlice
    ) {
        precondition(
            gateUp.count == 2 * outputGradient.count && outputGradient.count % F == 0
                && gateUpGradient.count == gateUp.count && s.count == outputGradient.count,
            "SwiGLU: \(gateUp.count), \(outputGradient.count), \(gateUpGradient.count) and \(s.count) floats")
        switch (gateUpGradient, s) {
        case (.fp32(let gateUpGradient), .fp32(let s)):
            backward(pool, outputGradient.view, F, gateUp.view, into: gateUpGradient.view, s.view)
        case (.bf16(let gateUpGradient), .bf16(let s)):
            backward(pool, outputGradient.view, F, gateUp.view, into: gateUpGradient.view, s.view)
        default: preconditionFailure("SwiGLU: outputs of two formats")
        }
    }

    @inline(__always)
    private static func backward(
        _ pool: ThreadPool, _ outputGradient_NF: FloatView, _ F: Int, _ gateUp_N2F: FloatView,
        into gateUpGradient_N2F: some LaneBuffer,
        _ s_NF: some LaneBuffer
    ) {
        pool.runRanges(count: outputGradient_NF.count / F, grain: tokenTile) { tokens, _ in
            for n in tokens {
                let outputGradient = outputGradient_NF.advanced(by: n * F, count: F)
                let (gateAt, upAt) = (2 * n * F, (2 * n + 1) * F)
                mapLaneTriples(
                    outputGradient, gateUp_N2F.advanced(by: gateAt, count: F), gateUp_N2F.advanced(by: upAt, count: F),
                    into: gateUpGradient_N2F.advanced(by: gateAt, count: F),
                    gateUpGradient_N2F.advanced(by: upAt, count: F),
                    s_NF.advanced(by: n * F, count: F)
                ) { outputGradient, gate, up in
                    // Why spelt out: a function of its own is not inlined into the bf16 loop.
                    let one = Lanes(repeating: 1)
                    let sig = one / (one + exponential(Lanes(repeating: 0) - gate))
                    let silu = gate * sig
                    return (
                        outputGradient * up * sig * one.addingProduct(gate, one - sig), outputGradient * silu, silu * up
                    )
                }
            }
        }
    }
}
