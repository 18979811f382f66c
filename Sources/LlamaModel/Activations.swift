// Activations - what forward keeps for backward, and the scratch of both: one arena, cut once.
//
// Layers may keep theirs in memory of the gradient that is not written yet (see GradientLoan).
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
        let inner: Inner
    }

    /// What follows from a layer's input. Layers share one where it is recomputed in the backward pass.
    struct Inner {
        let inputRstd: FloatSlice
        /// `[N, S]`, rotary applied, in the matmuls' format.
        let qkv: OperandSlice
        /// `[N, Q]`
        let attention: FloatSlice
        /// `[B, H, T]`
        let lse: FloatSlice
        /// Residual stream after attention, `[N, D]`.
        let middle: FloatSlice
        let middleRstd: FloatSlice
        /// `[N, 2F]`; backward with fp32 matmuls overwrites it with its gradient.
        let gateUp: FloatSlice
    }

    let layers: [Layer]
    /// Residual stream after the last layer, `[N, D]`.
    let final: FloatSlice
    let finalRstd: FloatSlice
    /// Output of whichever norm was applied last, `[N, D]`, in the matmuls' format.
    let normed: OperandSlice
    /// Gradient of the residual stream, `[N, D]`.
    let dresidual: FloatSlice
    /// Gradient of a norm's output, `[N, D]`.
    let dnormed: FloatSlice

    // Buffers of one layer's passes, in the memory that the head uses between the two.

    /// SwiGLU product, `[N, F]`, in the matmuls' format.
    let product: OperandSlice
    /// Its gradient, `[N, F]`; with fp32 matmuls the product takes its place when it is formed again.
    let dproduct: FloatSlice
    /// Gradient of the attention output, `[N, Q]`, which is used up before `dnormed` is formed.
    let dattention: FloatSlice
    /// Gradient of q, k and v, `[N, S]`. Where matmuls are bf16, forward has their fp32 values here until rotary is applied.
    let dqkv: FloatSlice
    /// Where matmuls are bf16: room for the rounded copies of two operands.
    let downcastGradient: BFloat16Slice?
    let downcastInput: BFloat16Slice?
    /// Scratch of the layers' kernels that is never live across two of them.
    let scratch: FloatSlice

    /// Logits of a chunk, in the same memory.
    let headScratch: FloatSlice

    /// Allocates one arena and cuts it.
    ///
    /// - Parameter loan: memory for layers' activations beside it.
    init(_ sizes: Sizes, loan: GradientLoan? = nil) {
        let arena = Arena(count: Self.floatCount(sizes))
        var cut = Cut(arena: arena)
        self.init(sizes, &cut, loan)
    }

    /// Floats of all buffers: the same cut, of nothing.
    static func floatCount(_ sizes: Sizes) -> Int {
        var cut = Cut(arena: nil)
        _ = Activations(sizes, &cut, nil)
        return cut.end
    }

    /// The cut: takes every buffer in turn.
    private init(_ sizes: Sizes, _ cut: inout Cut, _ loan: GradientLoan?) {
        let (N, D, F) = (sizes.tokens, sizes.hidden, sizes.intermediate)
        let (Q, S) = (sizes.attention.outputStride, sizes.attention.qkvStride)
        func inner(_ cut: inout Cut) -> Inner {
            Inner(
                inputRstd: cut.take(N), qkv: cut.take(N * S, sizes.format), attention: cut.take(N * Q),
                lse: cut.take(N * sizes.attention.heads), middle: cut.take(N * D), middleRstd: cut.take(N),
                gateUp: cut.take(2 * N * F))
        }
        let shared = sizes.sharesInner ? inner(&cut) : nil
        var layers: [Layer] = []
        for index in 0..<(sizes.forTraining ? sizes.layers : 1) {
            func layer(_ cut: inout Cut) -> Layer { Layer(input: cut.take(N * D), inner: shared ?? inner(&cut)) }
            if sizes.isLent(layer: index) {
                var lent = Cut(loan?.room(layer: index))
                layers.append(layer(&lent))
            } else {
                layers.append(layer(&cut))
            }
        }
        self.layers = layers
        final = cut.take(N * D)
        finalRstd = cut.take(N)
        normed = cut.take(N * D, sizes.format)
        // What only backward needs.
        let backwardTokens = sizes.forTraining ? N : 0
        dresidual = cut.take(backwardTokens * D)
        let room = cut.take(backwardTokens * max(D, Q))
        dnormed = room.count > 0 ? room[0..<(N * D)] : room
        dattention = room.count > 0 ? room[0..<(N * Q)] : room

        let start = cut.position
        product = cut.take(N * F, sizes.format)
        switch product {
        case .fp32(let product): dproduct = product
        case .bf16: dproduct = cut.take(backwardTokens * F)
        }
        let downcasts = sizes.format == .bf16
        dqkv = cut.take((downcasts ? N : backwardTokens) * S)
        downcastGradient = downcasts ? cut.takeBFloat16(backwardTokens * max(2 * F, S, D)) : nil
        downcastInput = downcasts ? cut.takeBFloat16(max(N * Q, backwardTokens * D)) : nil
        scratch = cut.take(sizes.scratch)

        cut.position = start
        headScratch = cut.take(sizes.headScratch)
    }
}

/// Takes buffers from an arena one after another, or, without one, adds up what they need.
private struct Cut {
    private let room: FloatSlice?
    var position = 0
    private(set) var end = 0
    private let nothing = Arena(count: 0).all

    init(arena: Arena?) { room = arena?.all }

    init(_ room: FloatSlice?) { self.room = room }

    mutating func take(_ count: Int) -> FloatSlice {
        let offset = position
        position += count
        end = max(end, position)
        return room?[offset..<position] ?? nothing
    }

    mutating func takeBFloat16(_ count: Int) -> BFloat16Slice {
        let room = take(BFloat16Slice.floatCount(count))
        return BFloat16Slice(over: room, count: self.room == nil ? 0 : count)
    }

    mutating func take(_ count: Int, _ format: ComputeDType) -> OperandSlice {
        switch format {
        case .fp32: .fp32(take(count))
        case .bf16: .bf16(takeBFloat16(count))
        }
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
        /// Whether layers share what is recomputed.
        let sharesInner: Bool
        let format: ComputeDType
        /// Floats of the gradient that each layer's activations may use; none where nothing is lent.
        let loans: [Int]
        let scratch: Int
        let headScratch: Int

        init(
            _ configuration: ModelConfiguration, sequences: Int, sequenceLength: Int, threads: Int, forTraining: Bool,
            recomputesLayers: Bool, lends: Bool, format: ComputeDType
        ) {
            hidden = configuration.hiddenSize
            intermediate = configuration.intermediateSize
            layers = configuration.hiddenLayerCount
            attention = Attention(configuration, positions: sequenceLength)
            tokens = sequences * sequenceLength
            self.forTraining = forTraining
            sharesInner = forTraining && recomputesLayers
            self.format = format
            loans = lends && forTraining && !recomputesLayers ? GradientLoan.ranges(configuration).map(\.count) : []
            scratch = max(
                attention.scratchCount(threads: threads), RMSNorm.scratchCount(tokens: tokens, features: hidden))
            headScratch = FusedHead(configuration).scratchCount(tokens: tokens)
        }
    }
}

extension Activations.Sizes {
    /// Floats of what one layer keeps, where nothing of it is shared.
    var layerCount: Int {
        let (Q, S) = (attention.outputStride, attention.qkvStride)
        let qkv = format == .fp32 ? tokens * S : BFloat16Slice.floatCount(tokens * S)
        return tokens * (2 * hidden + Q + 2 * intermediate + attention.heads + 2) + qkv
    }

    /// Whether a layer's activations lie in the gradient.
    func isLent(layer: Int) -> Bool { !loans.isEmpty && layerCount <= loans[layer] }
}

/// Format of what matmuls read.
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
