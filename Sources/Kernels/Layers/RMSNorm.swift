// RMSNorm - root-mean-square normalisation (Zhang and Sennrich, arXiv 1910.07467; Hugging Face's LlamaRMSNorm).
//
// Legend: N tokens, D features. x_ND, y_ND, d..._ND gradients, gain_D, rstd_N = 1 / sqrt(mean(x^2) + eps).

public import Tensors

/// Tokens per task, and tokens per tile of a sum over tokens.
///
/// Why: sums over fixed tiles, in tile order, have one order whatever the number of threads.
let tokenTile = 64

/// The normalization of a token's features by their root mean square.
public enum RMSNorm {
    /// `y = gain * x * rstd`, row by row.
    ///
    /// - Parameters:
    ///   - x: input, `[N, D]`.
    ///   - gain: `[D]`.
    ///   - y: output, `[N, D]`, in the compute dtype of matmuls.
    ///   - rstd: receives `1 / sqrt(mean(x^2) + epsilon)` per token, `[N]`.
    public static func forward(
        _ pool: ThreadPool, x: FloatSlice, gain: FloatSlice, epsilon: Float, into y: OperandSlice, rstd: FloatSlice
    ) {
        let (N, D) = (rstd.count, gain.count)
        precondition(x.count == N * D && y.count == N * D, "RMSNorm: \(x.count), \(y.count) floats for \(N) x \(D)")
        switch y {
        case .fp32(let y): forward(pool, x.view, gain.view, epsilon, into: y.view, rstd.view)
        case .bf16(let y): forward(pool, x.view, gain.view, epsilon, into: y.view, rstd.view)
        }
    }

    @inline(__always)
    private static func forward(
        _ pool: ThreadPool, _ x_ND: FloatView, _ gain_D: FloatView, _ epsilon: Float, into y_ND: some LaneBuffer,
        _ rstd_N: FloatView
    ) {
        let D = gain_D.count
        pool.runRanges(count: rstd_N.count, grain: tokenTile) { tokens, _ in
            for n in tokens {
                let row = x_ND.advanced(by: n * D, count: D)
                let meanSquare = sumLanes(row) { $0 * $0 } / Float(D)
                rstd_N[n] = 1 / (meanSquare + epsilon).squareRoot()
                apply(row, gain_D, rstd_N[n], into: y_ND.advanced(by: n * D, count: D))
            }
        }
    }

    @inline(__always)
    private static func apply(_ row: FloatView, _ gain_D: FloatView, _ rstd: Float, into target: some LaneBuffer) {
        let scale = Lanes(repeating: rstd)
        mapLanes(row, gain_D, into: target) { $0 * scale * $1 }
    }

    /// Number of scratch floats of a backward pass.
    public static func scratchCount(tokens N: Int, features D: Int) -> Int { (N + tokenTile - 1) / tokenTile * D }

    /// The gradients of input and gain, and the recomputed output.
    ///
    /// Why it recomputes the output: that is cheaper than to store `[N, D]` per norm.
    ///
    /// With `xhat = x * rstd` and `g = gain * dy`: `dx += rstd * (g - xhat * mean(g * xhat))`, `dgain = sum_n dy *
    /// xhat`.
    ///
    /// - Parameters:
    ///   - outputGradient: dy, `[N, D]`.
    ///   - inputGradient: dx, `[N, D]`, the gradient of the residual stream; always added to.
    ///   - gainGradient: dgain, `[D]`; overwritten unless `adding`.
    ///   - y: receives the output, `[N, D]`; nil: it is not recomputed.
    ///   - scratch: ``scratchCount(tokens:features:)`` floats.
    public static func backward(
        _ pool: ThreadPool, outputGradient: FloatSlice, x: FloatSlice, gain: FloatSlice, rstd: FloatSlice,
        inputGradient: FloatSlice,
        gainGradient: FloatSlice, adding: Bool, output y: OperandSlice? = nil, scratch: FloatSlice
    ) {
        let D = gain.count
        let N = rstd.count
        precondition(
            outputGradient.count == N * D && x.count == N * D && inputGradient.count == N * D
                && (y?.count ?? N * D) == N * D,
            "RMSNorm backward: sizes for \(N) x \(D)")
        precondition(
            gainGradient.count == D && scratch.count >= scratchCount(tokens: N, features: D),
            "RMSNorm backward: scratch too small")
        let (outputGradient_ND, x_ND, gain_D, rstd_N, inputGradient_ND) = (
            outputGradient.view, x.view, gain.view, rstd.view, inputGradient.view
        )
        let (gainGradient_D, partial_tileD) = (gainGradient.view, scratch.view)
        pool.runRanges(count: N, grain: tokenTile) { tokens, _ in
            let partial_D = partial_tileD.advanced(by: tokens.lowerBound / tokenTile * D, count: D)
            partial_D.fill(0)
            for n in tokens {
                let outputGradientRow = outputGradient_ND.advanced(by: n * D, count: D)
                let xRow = x_ND.advanced(by: n * D, count: D)
                let inputGradientRow = inputGradient_ND.advanced(by: n * D, count: D)
                let rstd = Lanes(repeating: rstd_N[n])
                // Why a function: a closure is not inlined into this loop.
                @inline(__always)
                func gainAndProjection(_ partial: Lanes, _ outputGradient: Lanes, _ gain: Lanes, _ x: Lanes) -> (
                    Lanes, Lanes
                ) {
                    (partial.addingProduct(outputGradient, x * rstd), outputGradient * gain * x)
                }
                // mean(g * xhat) with g = gain * dy. Both loops compute dy * gain instead of storing it.
                let sum = mapSumLanes(partial_D, outputGradientRow, gain_D, xRow, into: partial_D, gainAndProjection)
                let factor = Lanes(repeating: sum * rstd_N[n] / Float(D)) * rstd
                mapLanes(inputGradientRow, outputGradientRow, gain_D, xRow, into: inputGradientRow) {
                    inputGradient, outputGradient, gain, x in
                    inputGradient.addingProduct(rstd, outputGradient * gain - x * factor)
                }
                switch y {
                case .none: break
                case .fp32(let y): apply(xRow, gain_D, rstd_N[n], into: y.view.advanced(by: n * D, count: D))
                case .bf16(let y): apply(xRow, gain_D, rstd_N[n], into: y.view.advanced(by: n * D, count: D))
                }
            }
        }
        addTiles(pool, partial_tileD, tokens: N, into: gainGradient_D, adding: adding)
    }
}
