// Activations - buffers of the model's passes: activations that forward keeps for backward, and scratch, in one arena.
//
// Legend: B sequences, T positions, N = B * T tokens, D hidden, F ffn, H heads, Q = H * head size,
// S = q, k and v of one token, V vocabulary.

internal import Kernels
internal import Tensors

/// Buffers for one micro-batch of at most N tokens. A step allocates none.
///
/// Layers may keep their activations in the gradient's memory, see ``SharedGradientMemory``.
struct Activations {
    /// The activations that one layer keeps. Backward recomputes normalised inputs and the output of SwiGLU.
    struct Layer {
        /// Residual stream entering the layer, `[N, D]`.
        let input: FloatSlice
        let inner: Inner
    }

    /// The activations that forward computes from a layer's input. With activation checkpointing all layers share them.
    struct Inner {
        /// Reciprocal root mean square of the layer's input, `[N]`.
        let inputRstd: FloatSlice
        /// Heads of q and k before their norm, `[N, heads * head size]`; empty in an architecture without it.
        let headInput: FloatSlice
        /// Reciprocal root mean square of each head of q and k, `[N, heads]`; empty in an architecture without it.
        let headRstd: FloatSlice
        /// q, k and v, `[N, S]`, rotary applied; an operand of matmuls.
        let qkv: OperandSlice
        /// Output of attention, `[N, Q]`.
        let attention: FloatSlice
        /// Log-sum-exp of attention scores, `[B, H, T]`.
        let lse: FloatSlice
        /// Residual stream after attention, `[N, D]`.
        let middle: FloatSlice
        /// Reciprocal root mean square of `middle`, `[N]`.
        let middleRstd: FloatSlice
        /// Gate and up, `[N, 2F]`. Backward with fp32 matmuls overwrites them with their gradients.
        let gateUp: FloatSlice
    }

    /// Every layer's activations; a single one where nothing is kept for backward.
    let layers: [Layer]
    /// Residual stream after the last layer, `[N, D]`.
    let final: FloatSlice
    /// Reciprocal root mean square of `final`, `[N]`.
    let finalRstd: FloatSlice
    /// Output of the norm that was applied last, `[N, D]`; an operand of matmuls.
    let normed: OperandSlice
    /// Gradient of the residual stream, `[N, D]`.
    let residualGradient: FloatSlice
    /// Gradient of a norm's output, `[N, D]`.
    let normedGradient: FloatSlice

    // The buffers below serve one layer's pass at a time. Between forward and backward the head uses their memory.

    /// Output of SwiGLU, `[N, F]`; an operand of matmuls.
    let gated: OperandSlice
    /// Gradient of SwiGLU's output, `[N, F]`. With fp32 matmuls it shares the memory of `gated`.
    let gatedGradient: FloatSlice
    /// Gradient of the attention output, `[N, Q]`. It shares the memory of `normedGradient`, which backward forms
    /// later.
    let attentionGradient: FloatSlice
    /// Gradient of q, k and v, `[N, S]`. With bf16 matmuls, forward applies rotary to their fp32 values here.
    let qkvGradient: FloatSlice
    /// Downcast copy of a gradient; nil with fp32 matmuls.
    let downcastGradient: BFloat16Slice?
    /// Downcast copy of an input; nil with fp32 matmuls.
    let downcastInput: BFloat16Slice?
    /// Scratch of one kernel at a time.
    let scratch: FloatSlice

    /// Logits of a chunk of tokens, or of the last token in generation. They share the memory of the layers' buffers.
    let headScratch: FloatSlice

    /// Allocates one arena and cuts it.
    ///
    /// - Parameter shared: memory of the gradient, for activations of layers; nil: not shared.
    init(_ sizes: Sizes, shared: SharedGradientMemory? = nil) {
        let arena = Arena(count: Self.floatCount(sizes))
        var cut = Cut(arena.all)
        self.init(sizes, &cut, shared)
    }

    /// Number of floats of all buffers. It makes the cut without memory.
    static func floatCount(_ sizes: Sizes) -> Int {
        var cut = Cut(nil)
        _ = Activations(sizes, &cut, nil)
        return cut.end
    }

    /// Cuts every buffer from `cut` in turn.
    private init(_ sizes: Sizes, _ cut: inout Cut, _ shared: SharedGradientMemory?) {
        let (N, D, F) = (sizes.tokens, sizes.hidden, sizes.intermediate)
        let (Q, S) = (sizes.attention.outputStride, sizes.attention.qkvStride)
        let common = sizes.sharesInner ? Inner(sizes, &cut) : nil
        var layers: [Layer] = []
        for index in 0..<(sizes.forTraining ? sizes.layers : 1) {
            if sizes.sharesGradient(layer: index) {
                var gradientCut = Cut(shared?.slice(layer: index))
                layers.append(Layer(sizes, &gradientCut, common))
            } else {
                layers.append(Layer(sizes, &cut, common))
            }
        }
        self.layers = layers
        final = cut.take(N * D)
        finalRstd = cut.take(N)
        normed = cut.take(N * D, sizes.dtype)
        // Gradient buffers are empty without a backward pass.
        let backwardTokens = sizes.forTraining ? N : 0
        residualGradient = cut.take(backwardTokens * D)
        let gradients = cut.take(backwardTokens * max(D, Q))
        normedGradient = gradients.count > 0 ? gradients[0..<(N * D)] : gradients
        attentionGradient = gradients.count > 0 ? gradients[0..<(N * Q)] : gradients

        let start = cut.position
        gated = cut.take(N * F, sizes.dtype)
        switch gated {
        case .fp32(let gated): gatedGradient = gated
        case .bf16: gatedGradient = cut.take(backwardTokens * F)
        }
        let downcasts = sizes.dtype == .bf16
        qkvGradient = cut.take((downcasts ? N : backwardTokens) * S)
        downcastGradient = downcasts ? cut.takeBFloat16(backwardTokens * max(2 * F, S, D)) : nil
        downcastInput = downcasts ? cut.takeBFloat16(max(N * Q, backwardTokens * D)) : nil
        scratch = cut.take(sizes.scratch)

        cut.position = start
        headScratch = cut.take(sizes.headScratch)
    }
}

extension Activations.Layer {
    /// - Parameter common: the activations that all layers share; nil where each layer has its own.
    fileprivate init(_ sizes: Activations.Sizes, _ cut: inout Cut, _ common: Activations.Inner?) {
        input = cut.take(sizes.tokens * sizes.hidden)
        inner = common ?? Activations.Inner(sizes, &cut)
    }
}

extension Activations.Inner {
    fileprivate init(_ sizes: Activations.Sizes, _ cut: inout Cut) {
        let N = sizes.tokens
        inputRstd = cut.take(N)
        headInput = cut.take(N * (sizes.headNorm.map { $0.heads * $0.headSize } ?? 0))
        headRstd = cut.take(N * (sizes.headNorm?.heads ?? 0))
        qkv = cut.take(N * sizes.attention.qkvStride, sizes.dtype)
        attention = cut.take(N * sizes.attention.outputStride)
        lse = cut.take(N * sizes.attention.heads)
        middle = cut.take(N * sizes.hidden)
        middleRstd = cut.take(N)
        gateUp = cut.take(2 * N * sizes.intermediate)
    }
}

/// Takes buffers from memory one after another. Without memory it only counts their floats.
private struct Cut {
    private let memory: FloatSlice?
    var position = 0
    private(set) var end = 0
    private let nothing = Arena(count: 0).all

    init(_ memory: FloatSlice?) { self.memory = memory }

    mutating func take(_ count: Int) -> FloatSlice {
        let offset = position
        position += count
        end = max(end, position)
        return memory?[offset..<position] ?? nothing
    }

    mutating func takeBFloat16(_ count: Int) -> BFloat16Slice {
        let floats = take(BFloat16Slice.floatCount(count))
        return BFloat16Slice(over: floats, count: memory == nil ? 0 : count)
    }

    mutating func take(_ count: Int, _ dtype: ComputeDType) -> OperandSlice {
        switch dtype {
        case .fp32: .fp32(take(count))
        case .bf16: .bf16(takeBFloat16(count))
        }
    }
}

extension Activations {
    /// The numbers that give the sizes of all buffers.
    struct Sizes {
        let hidden: Int
        let intermediate: Int
        let layers: Int
        let attention: Attention
        let headNorm: HeadNorm?
        /// N.
        let tokens: Int
        /// False for evaluation and generation, where all layers share one layer's buffers.
        let forTraining: Bool
        /// Whether all layers share one ``Inner``, because backward recomputes it.
        let sharesInner: Bool
        let dtype: ComputeDType
        /// Number of gradient floats that each layer's activations may use; empty where the gradient's memory is not
        /// shared.
        let gradientCapacities: [Int]
        let scratch: Int
        let headScratch: Int

        /// Sizes for whole sequences.
        init(
            _ configuration: ModelConfiguration, sequences: Int, sequenceLength: Int, threads: Int, forTraining: Bool,
            recomputesLayers: Bool, sharesGradient: Bool, dtype: ComputeDType
        ) {
            hidden = configuration.hiddenSize
            intermediate = configuration.intermediateSize
            layers = configuration.hiddenLayerCount
            attention = Attention(configuration, positions: sequenceLength)
            headNorm = HeadNorm(configuration)
            tokens = sequences * sequenceLength
            self.forTraining = forTraining
            sharesInner = forTraining && recomputesLayers
            self.dtype = dtype
            gradientCapacities =
                sharesGradient && forTraining && !recomputesLayers
                ? SharedGradientMemory.ranges(configuration).map(\.count) : []
            scratch = max(
                attention.scratchCount(threads: threads), RMSNorm.scratchCount(tokens: tokens, features: hidden),
                headNorm?.scratchCount(tokens: tokens) ?? 0,
                Bias.scratchCount(tokens: tokens, features: Self.widestBias(configuration, attention)))
            headScratch = FusedHead(configuration).scratchCount(tokens: tokens)
        }

        /// Sizes for `tokens` new tokens of one sequence, with a key/value cache of `cachePositions`.
        init(_ configuration: ModelConfiguration, tokens: Int, cachePositions: Int) {
            hidden = configuration.hiddenSize
            intermediate = configuration.intermediateSize
            layers = configuration.hiddenLayerCount
            attention = Attention(configuration, positions: cachePositions)
            headNorm = HeadNorm(configuration)
            self.tokens = tokens
            forTraining = false
            sharesInner = false
            dtype = .fp32
            gradientCapacities = []
            scratch = configuration.attentionHeadCount * cachePositions
            headScratch = configuration.vocabularySize
        }

        /// Outputs of the widest linear layer with biases; 0 without biases.
        private static func widestBias(_ configuration: ModelConfiguration, _ attention: Attention) -> Int {
            max(
                configuration.attentionBiases == .none ? 0 : attention.qkvStride,
                configuration.attentionBiases == .all ? configuration.hiddenSize : 0,
                configuration.mlpBias ? max(2 * configuration.intermediateSize, configuration.hiddenSize) : 0)
        }
    }
}

extension Activations.Sizes {
    /// Number of floats of one layer's activations, none of them shared.
    private var layerCount: Int {
        var cut = Cut(nil)
        _ = Activations.Layer(self, &cut, nil)
        return cut.end
    }

    /// Whether a layer's activations lie in the gradient's memory.
    func sharesGradient(layer: Int) -> Bool { !gradientCapacities.isEmpty && layerCount <= gradientCapacities[layer] }
}

/// The number format of matmul operands.
public enum ComputeDType: Sendable {
    case fp32
    case bf16

    init(_ parameters: ParameterReplica) {
        switch parameters {
        case .fp32: self = .fp32
        case .bf16: self = .bf16
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
