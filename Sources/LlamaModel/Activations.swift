// Activations - what forward keeps for backward, and the scratch of both: one arena, cut once.
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

    /// Allocates one arena and cuts it.
    init(_ sizes: Sizes) {
        let arena = Arena(count: Self.floatCount(sizes))
        var position = 0
        self.init(sizes) { count in
            defer { position += count }
            return FloatSlice(arena: arena, offset: position, count: count)
        }
    }

    /// Floats of all buffers: the same cut, of nothing.
    static func floatCount(_ sizes: Sizes) -> Int {
        let nothing = Arena(count: 0).all
        var count = 0
        _ = Activations(sizes) {
            count += $0
            return nothing
        }
        return count
    }

    /// The cut: takes every buffer in turn.
    private init(_ sizes: Sizes, take: (_ count: Int) -> FloatSlice) {
        let (N, D, F) = (sizes.tokens, sizes.hidden, sizes.intermediate)
        let (Q, S) = (sizes.attention.outputStride, sizes.attention.qkvStride)
        layers = (0..<(sizes.forTraining ? sizes.layers : 1)).map { _ in
            Layer(
                input: take(N * D), inputRstd: take(N), qkv: take(N * S), attention: take(N * Q),
                lse: take(N * sizes.attention.heads), middle: take(N * D), middleRstd: take(N), gateUp: take(2 * N * F))
        }
        final = take(N * D)
        finalRstd = take(N)
        normed = take(N * D)
        product = take(N * F)
        // What only backward needs.
        let backwardTokens = sizes.forTraining ? N : 0
        dproduct = take(backwardTokens * F)
        dresidual = take(backwardTokens * D)
        dnormed = take(backwardTokens * D)
        dattention = take(backwardTokens * Q)
        dqkv = take(backwardTokens * S)
        scratch = take(sizes.scratch)
    }
}

extension Activations {
    /// What the sizes of the buffers follow from.
    struct Sizes {
        let hidden: Int
        let intermediate: Int
        let layers: Int
        let attention: Attention
        /// N.
        let tokens: Int
        /// False for evaluation, where all layers share one layer's buffers.
        let forTraining: Bool
        let scratch: Int

        init(
            _ configuration: ModelConfiguration, sequences: Int, sequenceLength: Int, threads: Int, forTraining: Bool
        ) {
            hidden = configuration.hiddenSize
            intermediate = configuration.intermediateSize
            layers = configuration.hiddenLayerCount
            attention = Attention(configuration, positions: sequenceLength)
            tokens = sequences * sequenceLength
            self.forTraining = forTraining
            scratch = max(
                attention.scratchCount(threads: threads), FusedHead(configuration).scratchCount(tokens: tokens),
                RMSNorm.scratchCount(tokens: tokens, features: hidden))
        }
    }
}

extension Attention {
    /// The attention of a model's layers.
    init(_ configuration: ModelConfiguration, positions: Int) {
        self.init(
            heads: configuration.attentionHeadCount, keyValueHeads: configuration.keyValueHeadCount,
            headSize: configuration.headSize, positions: positions)
    }
}

extension FusedHead {
    /// The head of a model.
    init(_ configuration: ModelConfiguration) {
        self.init(features: configuration.hiddenSize, vocabulary: configuration.vocabularySize)
    }
}
