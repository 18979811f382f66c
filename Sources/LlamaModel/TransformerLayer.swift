// TransformerLayer - one decoder layer: forward, recomputation, backward.
//
//   forward                                       backward (d... = gradient, dres = gradient of the residual stream)
//   n1 = norm(x)                                  (recomputed)
//   qkv = n1 Wqkv^T, norms and rotary of q, k     dqkv -> dWqkv, dn1; dres += norm'(dn1)
//   y = x + attention(qkv) Wo^T                   datt = dres Wo, dWo; attention'
//   n2 = norm(y)                                  (recomputed)
//   gu = n2 Wgu^T, s = silu(gate) * up            dgu -> dWgu, dn2; dres += norm'(dn2)
//   x' = y + s Wd^T                               ds = dres Wd, dWd
//
// Some architectures add biases to linear layers, normalize the heads of q and k, or leave them unrotated.
//
// Legend: N tokens, D hidden, F ffn, Q = heads * head size, S = q, k and v of one token.

internal import Kernels
internal import LinearAlgebra
internal import Tensors

/// A decoder layer of training, evaluation and generation, over buffers that the caller provides.
struct TransformerLayer {
    typealias Weights = ModelSlices<OperandSlice>.Layer
    typealias Gradients = ModelSlices<FloatSlice>.Layer

    let configuration: ModelConfiguration
    let attention: Attention
    let rotary: Rotary
    /// The norm of the heads of q and k; nil in an architecture without it.
    let headNorm: HeadNorm?
    let pool: ThreadPool

    /// - Parameter positions: T: number of positions of a sequence, or of the key/value cache.
    init(_ configuration: ModelConfiguration, positions: Int, pool: ThreadPool) {
        self.configuration = configuration
        attention = Attention(configuration, positions: positions)
        rotary = Rotary(
            headSize: configuration.headSize, positions: positions, theta: configuration.ropeTheta,
            scaling: configuration.rotaryScaling)
        headNorm = HeadNorm(configuration)
        self.pool = pool
    }

    private var epsilon: Float { Float(configuration.rmsNormEpsilon) }
    private var D: Int { configuration.hiddenSize }
    private var F: Int { configuration.intermediateSize }
    private var Q: Int { attention.outputStride }
    private var S: Int { attention.qkvStride }

    // MARK: - Forward

    /// Computes the layer's output from its input in `kept`.
    ///
    /// - Parameters:
    ///   - kept: the layer's own activations; all but the input are overwritten.
    ///   - buffers: the buffers that all layers share.
    ///   - cache: the layer's part of the pass's key/value cache; nil in a pass over whole sequences.
    ///   - output: `[N, D]`; may be the memory of the input.
    func forward(
        _ pass: Pass, _ weights: Weights, _ kept: Activations.Layer, _ buffers: Activations,
        cache: KeyValueCache.Layer? = nil, into output: FloatSlice
    ) {
        activate(pass, weights, kept, buffers, cache: cache)
        let gated = pass.rows(buffers.gated, F)
        SwiGLU.forward(pool, gateUp: pass.rows(kept.inner.gateUp, 2 * F), features: F, into: gated)
        pool.copy(pass.rows(kept.inner.middle, D), into: output)
        linear(gated, weights.down, weights.downBias, pass, inputs: F, outputs: D, into: output, adding: true)
    }

    /// Recomputes the layer's activations in `kept` from its input, for activation checkpointing.
    func recompute(_ pass: Pass, _ weights: Weights, _ kept: Activations.Layer, _ buffers: Activations) {
        activate(pass, weights, kept, buffers, cache: nil)
    }

    /// Computes all activations that backward reads: the layer up to gate and up.
    private func activate(
        _ pass: Pass, _ weights: Weights, _ kept: Activations.Layer, _ buffers: Activations, cache: KeyValueCache.Layer?
    ) {
        let input = pass.rows(kept.input, D)
        let middle = pass.rows(kept.inner.middle, D)
        let normed = pass.rows(buffers.normed, D)
        let qkv = pass.rows(kept.inner.qkv, S)
        let attended = pass.rows(kept.inner.attention, Q)

        RMSNorm.forward(
            pool, x: input, gain: weights.inputNorm, epsilon: epsilon, into: normed,
            rstd: pass.rows(kept.inner.inputRstd, 1))
        switch qkv {
        case .fp32(let qkv):
            project(normed, weights, pass, kept, into: qkv)
        case .bf16(let qkv):
            let upcast = pass.rows(buffers.qkvGradient, S)
            project(normed, weights, pass, kept, into: upcast)
            pool.convert(upcast, into: qkv)
        }
        attend(pass, qkv, cache, kept, buffers)
        pool.copy(input, into: middle)
        let attendedOperand = operand(attended, buffers.downcastInput)
        linear(
            attendedOperand, weights.output, weights.outputBias, pass, inputs: Q, outputs: D, into: middle, adding: true
        )

        RMSNorm.forward(
            pool, x: middle, gain: weights.postAttentionNorm, epsilon: epsilon, into: normed,
            rstd: pass.rows(kept.inner.middleRstd, 1))
        linear(
            normed, weights.gateUp, weights.gateUpBias, pass, inputs: D, outputs: 2 * F,
            into: pass.rows(kept.inner.gateUp, 2 * F))
    }

    /// Computes q, k and v `[N, S]` from the normalized input: linear layer, biases, norms of heads, rotary.
    private func project(
        _ normed: OperandSlice, _ weights: Weights, _ pass: Pass, _ kept: Activations.Layer, into qkv: FloatSlice
    ) {
        linear(normed, weights.qkv, weights.qkvBias, pass, inputs: D, outputs: S, into: qkv)
        if let headNorm, let gains = weights.headNorms {
            headNorm.forward(
                pool, qkv, stride: S, gains: gains, epsilon: epsilon,
                input: pass.rows(kept.inner.headInput, headNorm.heads * headNorm.headSize),
                rstd: pass.rows(kept.inner.headRstd, headNorm.heads))
        }
        if weights.isRotated { applyRotary(pass, to: qkv, inverse: false) }
    }

    /// Attention over whole sequences, or of new tokens over the cache. It appends keys and values of new tokens to the
    /// cache.
    private func attend(
        _ pass: Pass, _ qkv: OperandSlice, _ cache: KeyValueCache.Layer?, _ kept: Activations.Layer,
        _ buffers: Activations
    ) {
        let attended = pass.rows(kept.inner.attention, Q)
        guard let cache else {
            return attention.forward(
                pool, sequences: pass.sequences, documents: pass.documents, qkv: qkv, into: attended,
                lse: pass.rows(kept.inner.lse, configuration.attentionHeadCount), scratch: buffers.scratch)
        }
        guard case .fp32(let qkv) = qkv else { preconditionFailure("a key/value cache holds fp32") }
        attention.forwardCached(
            pool, qkv: qkv, start: pass.start, keys: cache.keys, values: cache.values, into: attended,
            scratch: buffers.scratch)
    }

    /// Applies rotary to queries and keys, which lie side by side in the rows of `qkv` `[N, S]`.
    private func applyRotary(_ pass: Pass, to qkv: FloatSlice, inverse: Bool) {
        let (T, start, documents) = (pass.sequenceLength, pass.start, pass.documents)
        rotary.apply(
            pool, to: qkv, stride: S, heads: configuration.attentionHeadCount + configuration.keyValueHeadCount,
            inverse: inverse
        ) { token in start + token % T - (documents?.start(ofDocumentWith: token) ?? 0) }
    }

    // MARK: - Backward

    /// Computes the weight gradients of the layer, and the gradient of its input.
    ///
    /// - Parameters:
    ///   - kept: the activations of forward; backward may overwrite them.
    ///   - buffers: `residualGradient` holds the gradient of the layer's output and receives the gradient of its input.
    ///   - gradients: overwritten unless `adding`.
    func backward(
        _ pass: Pass, _ weights: Weights, _ kept: Activations.Layer, _ buffers: Activations, _ gradients: Gradients,
        adding: Bool
    ) {
        backwardFeedForward(pass, weights, kept, buffers, gradients, adding: adding)
        backwardAttention(pass, weights, kept, buffers, gradients, adding: adding)
    }

    private func backwardFeedForward(
        _ pass: Pass, _ weights: Weights, _ kept: Activations.Layer, _ buffers: Activations, _ gradients: Gradients,
        adding: Bool
    ) {
        let residualGradient = pass.rows(buffers.residualGradient, D)
        let normed = pass.rows(buffers.normed, D)
        let normedGradient = pass.rows(buffers.normedGradient, D)
        let gateUp = pass.rows(kept.inner.gateUp, 2 * F)
        let gated = pass.rows(buffers.gated, F)
        let gatedGradient = pass.rows(buffers.gatedGradient, F)

        // Input gradients come first. Why: the elementwise pass after each also recomputes the weight gradient's
        // operand.
        let outputGradient = operand(residualGradient, buffers.downcastInput)
        inputGradient(outputGradient, weights.down, pass, inputs: F, outputs: D, into: gatedGradient)
        let gateUpGradient = buffers.downcastGradient.map { .bf16($0[0..<gateUp.count]) } ?? OperandSlice.fp32(gateUp)
        SwiGLU.backward(
            pool, outputGradient: gatedGradient, features: F, gateUp: gateUp, into: gateUpGradient, output: gated)
        weightGradient(outputGradient, x: gated, pass, inputs: F, outputs: D, into: gradients.down, adding: adding)
        biasGradient(.fp32(residualGradient), into: gradients.downBias, buffers, adding: adding)
        biasGradient(gateUpGradient, into: gradients.gateUpBias, buffers, adding: adding)

        inputGradient(gateUpGradient, weights.gateUp, pass, inputs: D, outputs: 2 * F, into: normedGradient)
        RMSNorm.backward(
            pool, outputGradient: normedGradient, x: pass.rows(kept.inner.middle, D), gain: weights.postAttentionNorm,
            rstd: pass.rows(kept.inner.middleRstd, 1), inputGradient: residualGradient,
            gainGradient: gradients.postAttentionNorm,
            adding: adding, output: normed, scratch: buffers.scratch)
        weightGradient(
            gateUpGradient, x: normed, pass, inputs: D, outputs: 2 * F, into: gradients.gateUp, adding: adding)
    }

    private func backwardAttention(
        _ pass: Pass, _ weights: Weights, _ kept: Activations.Layer, _ buffers: Activations, _ gradients: Gradients,
        adding: Bool
    ) {
        let residualGradient = pass.rows(buffers.residualGradient, D)
        let normed = pass.rows(buffers.normed, D)
        let normedGradient = pass.rows(buffers.normedGradient, D)
        let attended = pass.rows(kept.inner.attention, Q)
        let attentionGradient = pass.rows(buffers.attentionGradient, Q)
        let qkvGradient = pass.rows(buffers.qkvGradient, S)

        let outputGradient = operand(residualGradient, buffers.downcastGradient)
        inputGradient(outputGradient, weights.output, pass, inputs: Q, outputs: D, into: attentionGradient)
        weightGradient(
            outputGradient, x: operand(attended, buffers.downcastInput), pass, inputs: Q, outputs: D,
            into: gradients.output, adding: adding)
        biasGradient(.fp32(residualGradient), into: gradients.outputBias, buffers, adding: adding)
        let downcast = buffers.downcastInput.map { $0[0..<attentionGradient.count] }
        if let downcast { pool.convert(attentionGradient, into: downcast) }
        attention.backward(
            pool, sequences: pass.sequences, documents: pass.documents, qkv: pass.rows(kept.inner.qkv, S),
            output: attended, lse: pass.rows(kept.inner.lse, configuration.attentionHeadCount),
            outputGradient: attentionGradient, downcast: downcast, qkvGradient: qkvGradient, scratch: buffers.scratch)
        if weights.isRotated { applyRotary(pass, to: qkvGradient, inverse: true) }
        if let headNorm, let gains = weights.headNorms, let gainGradients = gradients.headNorms {
            headNorm.backward(
                pool, qkvGradient, stride: S, gains: gains,
                input: pass.rows(kept.inner.headInput, headNorm.heads * headNorm.headSize),
                rstd: pass.rows(kept.inner.headRstd, headNorm.heads), gainGradients: gainGradients, adding: adding,
                scratch: buffers.scratch)
        }
        biasGradient(.fp32(qkvGradient), into: gradients.qkvBias, buffers, adding: adding)

        let projectionGradient = operand(qkvGradient, buffers.downcastGradient)
        inputGradient(projectionGradient, weights.qkv, pass, inputs: D, outputs: S, into: normedGradient)
        RMSNorm.backward(
            pool, outputGradient: normedGradient, x: pass.rows(kept.input, D), gain: weights.inputNorm,
            rstd: pass.rows(kept.inner.inputRstd, 1), inputGradient: residualGradient,
            gainGradient: gradients.inputNorm, adding: adding,
            output: normed, scratch: buffers.scratch)
        weightGradient(projectionGradient, x: normed, pass, inputs: D, outputs: S, into: gradients.qkv, adding: adding)
    }

    // MARK: - Matmuls

    /// `values` as a matmul operand: a bf16 copy in `memory`, or the values themselves where `memory` is nil.
    private func operand(_ values: FloatSlice, _ memory: BFloat16Slice?) -> OperandSlice {
        guard let memory else { return .fp32(values) }
        let downcast = memory[0..<values.count]
        pool.convert(values, into: downcast)
        return .bf16(downcast)
    }

    /// `y = x W^T + bias (+ y)`: x `[N, inputs]`, W `[outputs, inputs]`, bias `[outputs]` or nil, y `[N, outputs]`.
    private func linear(
        _ x: OperandSlice, _ weight: OperandSlice, _ bias: FloatSlice?, _ pass: Pass, inputs: Int, outputs: Int,
        into y: FloatSlice, adding: Bool = false
    ) {
        pool.multiply(
            OperandMatrix(x, rows: pass.tokens, columns: inputs), .asStored,
            OperandMatrix(weight, rows: outputs, columns: inputs), .transposed,
            into: Matrix(y, rows: pass.tokens, columns: outputs), adding: adding)
        if let bias { Bias.add(pool, bias, to: y) }
    }

    /// The input gradient `dx = dy W`: dy `[N, outputs]`, W `[outputs, inputs]`, dx `[N, inputs]`.
    private func inputGradient(
        _ outputGradient: OperandSlice, _ weight: OperandSlice, _ pass: Pass, inputs: Int, outputs: Int,
        into inputGradient: FloatSlice
    ) {
        pool.multiply(
            OperandMatrix(outputGradient, rows: pass.tokens, columns: outputs), .asStored,
            OperandMatrix(weight, rows: outputs, columns: inputs), .asStored,
            into: Matrix(inputGradient, rows: pass.tokens, columns: inputs))
    }

    /// The weight gradient `dW = dy^T x (+ dW)`: dy `[N, outputs]`, x `[N, inputs]`, dW `[outputs, inputs]`.
    private func weightGradient(
        _ outputGradient: OperandSlice, x: OperandSlice, _ pass: Pass, inputs: Int, outputs: Int,
        into weightGradient: FloatSlice,
        adding: Bool
    ) {
        pool.multiply(
            OperandMatrix(outputGradient, rows: pass.tokens, columns: outputs), .transposed,
            OperandMatrix(x, rows: pass.tokens, columns: inputs), .asStored,
            into: Matrix(weightGradient, rows: outputs, columns: inputs), adding: adding)
    }

    /// The bias gradient `dbias = sum_n dy (+ dbias)`: dy `[N, outputs]`, dbias `[outputs]`; nil in a layer without.
    private func biasGradient(
        _ outputGradient: OperandSlice, into biasGradient: FloatSlice?, _ buffers: Activations, adding: Bool
    ) {
        guard let biasGradient else { return }
        Bias.gradient(
            pool, outputGradient: outputGradient, into: biasGradient, adding: adding, scratch: buffers.scratch)
    }
}

extension HeadNorm {
    /// The norm of a model's heads; nil in an architecture without it.
    init?(_ configuration: ModelConfiguration) {
        guard configuration.hasHeadNorms else { return nil }
        self.init(
            queryHeads: configuration.attentionHeadCount, keyHeads: configuration.keyValueHeadCount,
            headSize: configuration.headSize)
    }
}

/// The tokens of one pass. They use the first N rows of every buffer.
struct Pass {
    /// Token ids, `[N]`: whole sequences, or new tokens of the sequence in `cache`.
    let inputs: [Int32]
    /// B.
    let sequences: Int
    /// The documents in the sequences, inside which attention and positions stay; nil where each sequence is one.
    let documents: DocumentMask?
    /// Keys and values of earlier tokens; nil in a pass over whole sequences.
    let cache: KeyValueCache?

    /// A pass over a batch's sequences.
    init(_ batch: borrowing TokenBatch) {
        inputs = batch.inputs
        sequences = batch.sequenceCount
        documents =
            batch.masksDocuments
            ? DocumentMask(startsDocument: batch.startsDocument, positions: batch.sequenceLength) : nil
        cache = nil
    }

    /// A pass over new tokens of the sequence whose earlier tokens are in `cache`.
    init(_ inputs: [Int32], after cache: KeyValueCache) {
        self.inputs = inputs
        sequences = 1
        documents = nil
        self.cache = cache
    }

    /// N.
    var tokens: Int { inputs.count }
    /// Tokens of each sequence.
    var sequenceLength: Int { inputs.count / sequences }
    /// Position of each sequence's first token.
    var start: Int { cache?.count ?? 0 }

    /// The rows of an fp32 buffer `[.., columns]` that the pass uses.
    func rows(_ buffer: FloatSlice, _ columns: Int) -> FloatSlice { buffer[0..<(tokens * columns)] }

    /// The rows of a matmul operand `[.., columns]` that the pass uses.
    func rows(_ buffer: OperandSlice, _ columns: Int) -> OperandSlice { buffer[0..<(tokens * columns)] }
}
