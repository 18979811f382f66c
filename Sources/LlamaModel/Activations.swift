// Activations - what forward keeps for backward, and the scratch of both: one arena each, cut once.
//
// Legend: N = sequences * T tokens, D hidden, F ffn, Q = heads * head size, S = q, k and v of one token, V vocabulary.

internal import Kernels
internal import Tensors

/// Buffers for one micro-batch of at most `sequences` sequences. Nothing is allocated during a step.
struct Activations {
    /// What one layer keeps. Normalised inputs and the SwiGLU product are recomputed instead.
    struct Layer {
        /// Residual stream entering the layer, `[N, D]`.
        let input: FloatSlice
        let inputRstd: FloatSlice
        /// `[N, S]`, rotary applied.
        let qkv: FloatSlice
        /// `[N, Q]`
        let attention: FloatSlice
        /// `[B, H, T]`
        let lse: FloatSlice
        /// Residual stream after attention, `[N, D]`.
        let middle: FloatSlice
        let middleRstd: FloatSlice
        /// `[N, 2F]`; backward overwrites it with its gradient.
        let gateUp: FloatSlice
    }

    let layers: [Layer]
    /// Residual stream after the last layer, `[N, D]`.
    let final: FloatSlice
    let finalRstd: FloatSlice
    /// Output of whichever norm was applied last, `[N, D]`.
    let normed: FloatSlice
    /// SwiGLU product and its gradient, `[N, F]` each.
    let product: FloatSlice
    let dproduct: FloatSlice
    /// Gradient of the residual stream, `[N, D]`.
    let dresidual: FloatSlice
    /// Gradient of a norm's output, `[N, D]`.
    let dnormed: FloatSlice
    /// Gradient of the attention output, `[N, Q]`.
    let dattention: FloatSlice
    /// `[N, S]`
    let dqkv: FloatSlice
    /// Scratch of the kernels that is never live across two of them.
    let scratch: FloatSlice

    /// - Parameter keepsLayers: false for evaluation, where all layers share one layer's buffers.
    init(
        _ configuration: ModelConfiguration, attention: Attention, head: FusedHead, sequences B: Int,
        sequenceLength T: Int, threads: Int, keepsLayers: Bool
    ) {
        let N = B * T
        let D = configuration.hiddenSize
        let F = configuration.intermediateSize
        let Q = attention.outputStride
        let S = attention.qkvStride
        let H = configuration.attentionHeadCount
        let layerCount = keepsLayers ? configuration.hiddenLayerCount : 1
        let layerFloats = 2 * N * D + 2 * N + N * S + N * Q + B * H * T + 2 * N * F
        let backwardFloats = keepsLayers ? N * (2 * D + F + Q + S) : 0
        let normScratch = (N + 63) / 64 * D
        let scratchFloats = max(
            attention.scratchCount(threads: threads), head.scratchCount(tokens: N), normScratch)
        let arena = Arena(
            count: layerCount * layerFloats + 2 * N * D + N + N * F + backwardFloats + scratchFloats)
        var position = 0
        func take(_ count: Int) -> FloatSlice {
            defer { position += count }
            return FloatSlice(arena: arena, offset: position, count: count)
        }
        layers = (0..<layerCount).map { _ in
            Layer(
                input: take(N * D), inputRstd: take(N), qkv: take(N * S), attention: take(N * Q), lse: take(B * H * T),
                middle: take(N * D), middleRstd: take(N), gateUp: take(2 * N * F))
        }
        final = take(N * D)
        finalRstd = take(N)
        normed = take(N * D)
        product = take(N * F)
        dproduct = take(keepsLayers ? N * F : 0)
        dresidual = take(keepsLayers ? N * D : 0)
        dnormed = take(keepsLayers ? N * D : 0)
        dattention = take(keepsLayers ? N * Q : 0)
        dqkv = take(keepsLayers ? N * S : 0)
        scratch = take(scratchFloats)
    }
}
