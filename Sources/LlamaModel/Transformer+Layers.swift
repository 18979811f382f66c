// Transformer+Layers - the decoder layer, forward and backward side by side.
//
//   forward                                       backward (d... = gradient, dres = gradient of the residual stream)
//   n1 = norm(x)                                  (recomputed)
//   qkv = n1 Wqkv^T, rotary(q, k)                 dqkv -> dWqkv, dn1; dres += norm'(dn1)
//   y = x + attention(qkv) Wo^T                   datt = dres Wo, dWo; attention'
//   n2 = norm(y)                                  (recomputed)
//   gu = n2 Wgu^T, s = silu(gate) * up            dgu -> dWgu, dn2; dres += norm'(dn2)
//   x' = y + s Wd^T                               ds = dres Wd, dWd

internal import Kernels
internal import LinearAlgebra
internal import Tensors

extension Transformer {
    private var epsilon: Float { Float(configuration.rmsNormEpsilon) }
    private var D: Int { configuration.hiddenSize }
    private var F: Int { configuration.intermediateSize }
    private var Q: Int { attention.outputStride }
    private var S: Int { attention.qkvStride }
    /// Heads that rotary turns: queries and keys lie side by side.
    private var rotaryHeads: Int { configuration.attentionHeadCount + configuration.keyValueHeadCount }

    /// Runs the network; leaves the normalised final hidden states in `activations.normed`.
    ///
    /// - Parameter isNeeded: called before parameters are read, with rising positions: those before the position are.
    func forward(_ batch: Batch, isNeeded: (_ before: Int) throws -> Void) rethrows {
        let kept = forTraining
        phases.enter(.forward)
        try isNeeded(parameterEnds.embedding)
        Embedding.forward(
            pool, tokens: batch.inputs, table: weights.embedding, features: D,
            into: batch.hidden(activations.layers[0].input))
        for index in 0..<configuration.hiddenLayerCount {
            let cache = activations.layers[kept ? index : 0]
            let isLast = index + 1 == configuration.hiddenLayerCount
            let output = isLast ? activations.final : activations.layers[kept ? index + 1 : 0].input
            phases.enter(.forward, index)
            try isNeeded(parameterEnds.layers[index])
            forward(batch, weights.layers[index], cache, into: batch.hidden(output))
        }
        try isNeeded(parameterEnds.all)
        RMSNorm.forward(
            pool, x: batch.hidden(activations.final), gain: weights.finalNorm, epsilon: epsilon,
            into: batch.mixed(activations.normed, D), rstd: batch.rows(activations.finalRstd, 1))
    }

    /// Runs the network backward from `activations.dnormed`, the gradient of the normalised final hidden states.
    func backward(
        _ batch: Batch, gradients: ModelSlices<FloatSlice>, adding: Bool, isFinal: (_ from: Int) throws -> Void
    ) rethrows {
        let dresidual = batch.hidden(activations.dresidual)
        pool.clear(dresidual)
        RMSNorm.backward(
            pool, dy: batch.hidden(activations.dnormed), x: batch.hidden(activations.final), gain: weights.finalNorm,
            rstd: batch.rows(activations.finalRstd, 1), dx: dresidual, dgain: gradients.finalNorm, adding: adding,
            scratch: activations.scratch)
        // The embedding comes first in the flat space.
        try isFinal(gradients.finalNorm.offset - gradients.embedding.offset)
        for index in (0..<configuration.hiddenLayerCount).reversed() {
            let (weight, cache) = (weights.layers[index], activations.layers[index])
            phases.enter(.backward, index)
            // The last layer's is still there.
            if recomputesLayers && index + 1 < configuration.hiddenLayerCount { expand(batch, weight, cache) }
            backward(batch, weight, cache, gradients.layers[index], adding: adding)
            try isFinal(gradients.layers[index].inputNorm.offset - gradients.embedding.offset)
        }
        phases.enter(.backward)
        // A tied head wrote its part into the embedding's gradient before.
        Embedding.backward(
            pool, tokens: batch.inputs, dx: dresidual, features: D, dtable: gradients.embedding,
            adding: adding || configuration.tieWordEmbeddings)
        try isFinal(0)
    }

    private func forward(
        _ batch: Batch, _ layer: ModelSlices<OperandSlice>.Layer, _ cache: Activations.Layer, into output: FloatSlice
    ) {
        expand(batch, layer, cache)
        let product = batch.mixed(activations.product, F)
        SwiGLU.forward(pool, gateUp: batch.rows(cache.inner.gateUp, 2 * F), features: F, into: product)
        pool.copy(batch.hidden(cache.inner.middle), into: output)
        linear(product, layer.down, batch, inputs: F, outputs: D, into: output, adding: true)
    }

    /// Everything of a layer's forward pass that backward needs, from its input.
    private func expand(_ batch: Batch, _ layer: ModelSlices<OperandSlice>.Layer, _ cache: Activations.Layer) {
        let input = batch.hidden(cache.input)
        let middle = batch.hidden(cache.inner.middle)
        let normed = batch.mixed(activations.normed, D)
        let qkv = batch.mixed(cache.inner.qkv, S)
        let attended = batch.rows(cache.inner.attention, Q)

        RMSNorm.forward(
            pool, x: input, gain: layer.inputNorm, epsilon: epsilon, into: normed,
            rstd: batch.rows(cache.inner.inputRstd, 1))
        switch qkv {
        case .fp32(let qkv):
            linear(normed, layer.qkv, batch, inputs: D, outputs: S, into: qkv)
            applyRotary(to: qkv, inverse: false)
        case .bf16(let qkv):
            let wide = batch.rows(activations.dqkv, S)
            linear(normed, layer.qkv, batch, inputs: D, outputs: S, into: wide)
            applyRotary(to: wide, inverse: false)
            pool.convert(wide, into: qkv)
        }
        attention.forward(
            pool, sequences: batch.sequences, qkv: qkv, into: attended,
            lse: batch.rows(cache.inner.lse, configuration.attentionHeadCount), scratch: activations.scratch)
        pool.copy(input, into: middle)
        let operand = operand(attended, activations.downcastInput)
        linear(operand, layer.output, batch, inputs: Q, outputs: D, into: middle, adding: true)

        RMSNorm.forward(
            pool, x: middle, gain: layer.postAttentionNorm, epsilon: epsilon, into: normed,
            rstd: batch.rows(cache.inner.middleRstd, 1))
        linear(normed, layer.gateUp, batch, inputs: D, outputs: 2 * F, into: batch.rows(cache.inner.gateUp, 2 * F))
    }

    private func backward(
        _ batch: Batch, _ layer: ModelSlices<OperandSlice>.Layer, _ cache: Activations.Layer,
        _ gradient: ModelSlices<FloatSlice>.Layer, adding: Bool
    ) {
        backwardMLP(batch, layer, cache, gradient, adding: adding)
        backwardAttention(batch, layer, cache, gradient, adding: adding)
    }

    private func backwardMLP(
        _ batch: Batch, _ layer: ModelSlices<OperandSlice>.Layer, _ cache: Activations.Layer,
        _ gradient: ModelSlices<FloatSlice>.Layer, adding: Bool
    ) {
        let dresidual = batch.hidden(activations.dresidual)
        let normed = batch.mixed(activations.normed, D)
        let dnormed = batch.hidden(activations.dnormed)
        let middle = batch.hidden(cache.inner.middle)
        let middleRstd = batch.rows(cache.inner.middleRstd, 1)
        let gateUp = batch.rows(cache.inner.gateUp, 2 * F)
        let product = batch.mixed(activations.product, F)
        let dproduct = batch.rows(activations.dproduct, F)

        // Gradients of inputs come first: the pass that follows each forms the input of the weight's gradient as well.
        let doutput = operand(dresidual, activations.downcastInput)
        inputGradient(doutput, layer.down, batch, inputs: F, outputs: D, into: dproduct)
        let dgateUp = activations.downcastGradient.map { .bf16($0[0..<gateUp.count]) } ?? OperandSlice.fp32(gateUp)
        SwiGLU.backward(pool, ds: dproduct, features: F, gateUp: gateUp, into: dgateUp, output: product)
        weightGradient(doutput, x: product, batch, inputs: F, outputs: D, into: gradient.down, adding: adding)

        inputGradient(dgateUp, layer.gateUp, batch, inputs: D, outputs: 2 * F, into: dnormed)
        RMSNorm.backward(
            pool, dy: dnormed, x: middle, gain: layer.postAttentionNorm, rstd: middleRstd, dx: dresidual,
            dgain: gradient.postAttentionNorm, adding: adding, output: normed, scratch: activations.scratch)
        weightGradient(dgateUp, x: normed, batch, inputs: D, outputs: 2 * F, into: gradient.gateUp, adding: adding)
    }

    private func backwardAttention(
        _ batch: Batch, _ layer: ModelSlices<OperandSlice>.Layer, _ cache: Activations.Layer,
        _ gradient: ModelSlices<FloatSlice>.Layer, adding: Bool
    ) {
        let dresidual = batch.hidden(activations.dresidual)
        let normed = batch.mixed(activations.normed, D)
        let dnormed = batch.hidden(activations.dnormed)
        let input = batch.hidden(cache.input)
        let inputRstd = batch.rows(cache.inner.inputRstd, 1)
        let attended = batch.rows(cache.inner.attention, Q)
        let dattention = batch.rows(activations.dattention, Q)
        let dqkv = batch.rows(activations.dqkv, S)

        let doutput = operand(dresidual, activations.downcastGradient)
        inputGradient(doutput, layer.output, batch, inputs: Q, outputs: D, into: dattention)
        weightGradient(
            doutput, x: operand(attended, activations.downcastInput), batch, inputs: Q, outputs: D,
            into: gradient.output, adding: adding)
        let downcast = activations.downcastInput.map { $0[0..<dattention.count] }
        if let downcast { pool.convert(dattention, into: downcast) }
        attention.backward(
            pool, sequences: batch.sequences, qkv: batch.mixed(cache.inner.qkv, S), output: attended,
            lse: batch.rows(cache.inner.lse, configuration.attentionHeadCount), doutput: dattention, downcast: downcast,
            dqkv: dqkv, scratch: activations.scratch)
        applyRotary(to: dqkv, inverse: true)
        let dprojection = operand(dqkv, activations.downcastGradient)
        inputGradient(dprojection, layer.qkv, batch, inputs: D, outputs: S, into: dnormed)
        RMSNorm.backward(
            pool, dy: dnormed, x: input, gain: layer.inputNorm, rstd: inputRstd, dx: dresidual,
            dgain: gradient.inputNorm, adding: adding, output: normed, scratch: activations.scratch)
        weightGradient(dprojection, x: normed, batch, inputs: D, outputs: S, into: gradient.qkv, adding: adding)
    }

    private func applyRotary(to qkv: FloatSlice, inverse: Bool) {
        let T = sequenceLength
        rotary.apply(pool, to: qkv, stride: S, heads: rotaryHeads, inverse: inverse) { token in token % T }
    }

    /// `values` as an operand of matmuls: rounded into `room` where matmuls are bf16, otherwise as they are.
    private func operand(_ values: FloatSlice, _ room: BFloat16Slice?) -> OperandSlice {
        guard let room else { return .fp32(values) }
        let rounded = room[0..<values.count]
        pool.convert(values, into: rounded)
        return .bf16(rounded)
    }

    /// `y = x W^T (+ y)`: x `[N, inputs]`, W `[outputs, inputs]`, y `[N, outputs]`.
    private func linear(
        _ x: OperandSlice, _ weight: OperandSlice, _ batch: Batch, inputs: Int, outputs: Int, into y: FloatSlice,
        adding: Bool = false
    ) {
        pool.multiply(
            OperandMatrix(x, rows: batch.tokens, columns: inputs), .asStored,
            OperandMatrix(weight, rows: outputs, columns: inputs), .transposed,
            into: Matrix(y, rows: batch.tokens, columns: outputs), adding: adding)
    }

    /// `dx = dy W`: dy `[N, outputs]`, W `[outputs, inputs]`, dx `[N, inputs]`.
    private func inputGradient(
        _ dy: OperandSlice, _ weight: OperandSlice, _ batch: Batch, inputs: Int, outputs: Int, into dx: FloatSlice
    ) {
        pool.multiply(
            OperandMatrix(dy, rows: batch.tokens, columns: outputs), .asStored,
            OperandMatrix(weight, rows: outputs, columns: inputs), .asStored,
            into: Matrix(dx, rows: batch.tokens, columns: inputs))
    }

    /// `dW = dy^T x (+ dW)`: dy `[N, outputs]`, x `[N, inputs]`, dW `[outputs, inputs]`.
    private func weightGradient(
        _ dy: OperandSlice, x: OperandSlice, _ batch: Batch, inputs: Int, outputs: Int, into dweight: FloatSlice,
        adding: Bool
    ) {
        pool.multiply(
            OperandMatrix(dy, rows: batch.tokens, columns: outputs), .transposed,
            OperandMatrix(x, rows: batch.tokens, columns: inputs), .asStored,
            into: Matrix(dweight, rows: outputs, columns: inputs), adding: adding)
    }
}
