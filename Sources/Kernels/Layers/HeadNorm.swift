// HeadNorm - RMSNorm of each head's queries and keys before they are rotated (Hugging Face's Qwen3Attention).
//
// Legend: N tokens, H query heads, K key heads, Dh features per head. A row of x_N holds the H + K heads side by side,
// queries first. It may be longer than its heads. input_NHDh holds the heads alone.

public import Tensors

/// The normalization of heads by their root mean square, with one gain for queries and one for keys.
public struct HeadNorm: Sendable {
    /// H.
    public let queryHeads: Int
    /// K.
    public let keyHeads: Int
    /// Dh.
    public let headSize: Int

    /// Traps unless there is a query head, a key head and a feature.
    public init(queryHeads: Int, keyHeads: Int, headSize: Int) {
        precondition(queryHeads > 0 && keyHeads > 0 && headSize > 0, "head norm: no heads")
        (self.queryHeads, self.keyHeads, self.headSize) = (queryHeads, keyHeads, headSize)
    }

    /// Heads of a token, H + K.
    public var heads: Int { queryHeads + keyHeads }

    /// `x = gain * x * rstd`, head by head, in place.
    ///
    /// - Parameters:
    ///   - x: `[N, stride]`; the heads lie at the start of each row.
    ///   - gains: of queries and keys, one behind the other, `[2 * Dh]`.
    ///   - input: receives the heads as they were, `[N, (H + K) * Dh]`.
    ///   - rstd: receives `1 / sqrt(mean(x^2) + epsilon)` per head, `[N, H + K]`.
    public func forward(
        _ pool: ThreadPool, _ x: FloatSlice, stride: Int, gains: FloatSlice, epsilon: Float, input: FloatSlice,
        rstd: FloatSlice
    ) {
        let N = check(x, stride: stride, gains, input, rstd)
        let (x_N, gains_2Dh, input_NHDh, rstd_NH) = (x.view, gains.view, input.view, rstd.view)
        let (heads, Dh) = (heads, headSize)
        pool.runRanges(count: N, grain: tokenTile) { tokens, _ in
            for n in tokens {
                for head in 0..<heads {
                    let row = x_N.advanced(by: n * stride + head * Dh, count: Dh)
                    input_NHDh.advanced(by: (n * heads + head) * Dh, count: Dh).copy(from: row)
                    let meanSquare = sumLanes(row) { $0 * $0 } / Float(Dh)
                    let scale = 1 / (meanSquare + epsilon).squareRoot()
                    rstd_NH[n * heads + head] = scale
                    let lanes = Lanes(repeating: scale)
                    let gain = gains_2Dh.advanced(by: head < queryHeads ? 0 : Dh, count: Dh)
                    mapLanes(row, gain, into: row) { $0 * lanes * $1 }
                }
            }
        }
    }

    /// Number of scratch floats of a backward pass over `N` tokens.
    public func scratchCount(tokens N: Int) -> Int { (N + tokenTile - 1) / tokenTile * 2 * headSize }

    /// The gradients of input and gains. The gradient of the input replaces that of the output.
    ///
    /// With `xhat = x * rstd` and `g = gain * dy`: `dx = rstd * (g - xhat * mean(g * xhat))`, `dgain = sum dy * xhat`.
    /// The sum is over tokens and heads, and goes over tiles of tokens in their order.
    ///
    /// - Parameters:
    ///   - gradient: dy, then dx, `[N, stride]`.
    ///   - input: the heads that forward normalized, `[N, (H + K) * Dh]`.
    ///   - rstd: `[N, H + K]`.
    ///   - gainGradients: of queries and keys, one behind the other, `[2 * Dh]`; overwritten unless `adding`.
    ///   - scratch: ``scratchCount(tokens:)`` floats.
    public func backward(
        _ pool: ThreadPool, _ gradient: FloatSlice, stride: Int, gains: FloatSlice, input: FloatSlice, rstd: FloatSlice,
        gainGradients: FloatSlice, adding: Bool, scratch: FloatSlice
    ) {
        let N = check(gradient, stride: stride, gains, input, rstd)
        precondition(
            gainGradients.count == 2 * headSize && scratch.count >= scratchCount(tokens: N),
            "head norm backward: \(gainGradients.count) gain gradients and \(scratch.count) floats of scratch for "
                + "\(N) x \(headSize)")
        let (gradient_N, gains_2Dh) = (gradient.view, gains.view)
        let (input_NHDh, rstd_NH, partial_tile2Dh) = (input.view, rstd.view, scratch.view)
        let (heads, Dh) = (heads, headSize)
        pool.runRanges(count: N, grain: tokenTile) { tokens, _ in
            let partial_2Dh = partial_tile2Dh.advanced(by: tokens.lowerBound / tokenTile * 2 * Dh, count: 2 * Dh)
            partial_2Dh.fill(0)
            for n in tokens {
                for head in 0..<heads {
                    let offset = head < queryHeads ? 0 : Dh
                    let row = gradient_N.advanced(by: n * stride + head * Dh, count: Dh)
                    let gain = gains_2Dh.advanced(by: offset, count: Dh)
                    let x = input_NHDh.advanced(by: (n * heads + head) * Dh, count: Dh)
                    let partial = partial_2Dh.advanced(by: offset, count: Dh)
                    let scale = rstd_NH[n * heads + head]
                    let rstd = Lanes(repeating: scale)
                    // Why a function: a closure is not inlined into this loop.
                    @inline(__always)
                    func gainAndProjection(_ partial: Lanes, _ gradient: Lanes, _ gain: Lanes, _ x: Lanes) -> (
                        Lanes, Lanes
                    ) {
                        (partial.addingProduct(gradient, x * rstd), gradient * gain * x)
                    }
                    let sum = mapSumLanes(partial, row, gain, x, into: partial, gainAndProjection)
                    let factor = Lanes(repeating: sum * scale / Float(Dh)) * rstd
                    // The loop takes four operands.
                    mapLanes(row, row, gain, x, into: row) { gradient, _, gain, x in
                        rstd * (gradient * gain - x * factor)
                    }
                }
            }
        }
        addTiles(pool, partial_tile2Dh, tokens: N, into: gainGradients.view, adding: adding)
    }

    /// - Returns: N.
    private func check(
        _ x: FloatSlice, stride: Int, _ gains: FloatSlice, _ input: FloatSlice, _ rstd: FloatSlice
    ) -> Int {
        precondition(
            stride >= heads * headSize && x.count % stride == 0, "head norm: \(heads) heads in rows of \(stride)")
        let N = x.count / stride
        precondition(
            gains.count == 2 * headSize && input.count == N * heads * headSize
                && rstd.count == N * heads,
            "head norm: sizes for \(N) x \(heads) x \(headSize)")
        return N
    }
}
