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
    func forward(_ batch: Batch) {
        let kept = forTraining
        Embedding.forward(
            pool, tokens: batch.inputs, table: weights.embedding, features: D,
            into: batch.hidden(activations.layers[0].input))
        for index in 0..<configuration.hiddenLayerCount {
            let cache = activations.layers[kept ? index : 0]
            let isLast = index + 1 == configuration.hiddenLayerCount
            let output = isLast ? activations.final : activations.layers[kept ? index + 1 : 0].input
            forward(batch, weights.layers[index], cache, into: batch.hidden(output))
        }
        RMSNorm.forward(
            pool, x: batch.hidden(activations.final), gain: weights.finalNorm, epsilon: epsilon,
            into: batch.hidden(activations.normed), rstd: batch.rows(activations.finalRstd, 1))
    }

    /// Runs the network backward from `activations.dnormed`, the gradient of the normalised final hidden states.
    func backward(
        _ batch: Batch, gradients: ModelSlices, adding: Bool, isFinal: (_ from: Int) throws -> Void
    ) rethrows {
        let dresidual = batch.hidden(activations.dresidual)
        pool.clear(dresidual)
        RMSNorm.backward(
            pool, dy: batch.hidden(activations.dnormed), x: batch.hidden(activations.final), gain: weights.finalNorm,
            rstd: batch.rows(activations.finalRstd, 1), dx: dresidual, dgain: gradients.finalNorm, adding: adding,
            scratch: activations.scratch)
        try isFinal(gradients.position(of: gradients.finalNorm))
        for index in (0..<configuration.hiddenLayerCount).reversed() {
            backward(
                batch, weights.layers[index], activations.layers[index], gradients.layers[index], adding: adding)
            try isFinal(gradients.position(of: gradients.layers[index].inputNorm))
        }
        // A tied head wrote its part into the embedding's gradient before.
        Embedding.backward(
            pool, tokens: batch.inputs, dx: dresidual, features: D, dtable: gradients.embedding,
            adding: adding || configuration.tieWordEmbeddings)
        try isFinal(0)
    }

    private func forward(
        _ batch: Batch, _ layer: ModelSlices.Layer, _ cache: Activations.Layer, into output: FloatSlice
    ) {
        let N = batch.tokens
        let input = batch.hidden(cache.input)
        let middle = batch.hidden(cache.middle)
        let normed = batch.hidden(activations.normed)
        let qkv = batch.rows(cache.qkv, S)
        let attended = batch.rows(cache.attention, Q)
        let gateUp = batch.rows(cache.gateUp, 2 * F)
        let product = batch.rows(activations.product, F)

        RMSNorm.forward(
            pool, x: input, gain: layer.inputNorm, epsilon: epsilon, into: normed, rstd: batch.rows(cache.inputRstd, 1))
        linear(normed, layer.qkv, tokens: N, inputs: D, outputs: S, into: qkv)
        applyRotary(to: qkv, inverse: false)
        attention.forward(
            pool, sequences: batch.sequences, qkv: qkv, into: attended,
            lse: batch.rows(cache.lse, configuration.attentionHeadCount), scratch: activations.scratch)
        pool.copy(input, into: middle)
        linear(attended, layer.output, tokens: N, inputs: Q, outputs: D, into: middle, adding: true)

        RMSNorm.forward(
            pool, x: middle, gain: layer.postAttentionNorm, epsilon: epsilon, into: normed,
            rstd: batch.rows(cache.middleRstd, 1))
        linear(normed, layer.gateUp, tokens: N, inputs: D, outputs: 2 * F, into: gateUp)
        SwiGLU.forward(pool, gateUp: gateUp, features: F, into: product)
        pool.copy(middle, into: output)
        linear(product, layer.down, tokens: N, inputs: F, outputs: D, into: output, adding: true)
    }

    private func backward(
        _ batch: Batch, _ layer: ModelSlices.Layer, _ cache: Activations.Layer, _ gradient: ModelSlices.Layer,
        adding: Bool
    ) {
        let N = batch.tokens
        let dresidual = batch.hidden(activations.dresidual)
        let normed = batch.hidden(activations.normed)
        let dnormed = batch.hidden(activations.dnormed)
        let middle = batch.hidden(cache.middle)
        let middleRstd = batch.rows(cache.middleRstd, 1)
        let gateUp = batch.rows(cache.gateUp, 2 * F)
        let product = batch.rows(activations.product, F)
        let dproduct = batch.rows(activations.dproduct, F)

        SwiGLU.forward(pool, gateUp: gateUp, features: F, into: product)
        linearBackward(
            dresidual, x: product, layer.down, tokens: N, inputs: F, outputs: D, dx: dproduct,
            dweight: gradient.down, adding: adding)
        SwiGLU.backward(pool, ds: dproduct, features: F, gateUp: gateUp)
        RMSNorm.recompute(pool, x: middle, gain: layer.postAttentionNorm, rstd: middleRstd, into: normed)
        linearBackward(
            gateUp, x: normed, layer.gateUp, tokens: N, inputs: D, outputs: 2 * F, dx: dnormed,
            dweight: gradient.gateUp, adding: adding)
        RMSNorm.backward(
            pool, dy: dnormed, x: middle, gain: layer.postAttentionNorm, rstd: middleRstd, dx: dresidual,
            dgain: gradient.postAttentionNorm, adding: adding, scratch: activations.scratch)

        let input = batch.hidden(cache.input)
        let inputRstd = batch.rows(cache.inputRstd, 1)
        let attended = batch.rows(cache.attention, Q)
        let dattention = batch.rows(activations.dattention, Q)
        let dqkv = batch.rows(activations.dqkv, S)

        linearBackward(
            dresidual, x: attended, layer.output, tokens: N, inputs: Q, outputs: D, dx: dattention,
            dweight: gradient.output, adding: adding)
        attention.backward(
            pool, sequences: batch.sequences, qkv: batch.rows(cache.qkv, S), output: attended,
            lse: batch.rows(cache.lse, configuration.attentionHeadCount), doutput: dattention, dqkv: dqkv,
            scratch: activations.scratch)
        applyRotary(to: dqkv, inverse: true)
        RMSNorm.recompute(pool, x: input, gain: layer.inputNorm, rstd: inputRstd, into: normed)
        linearBackward(
            dqkv, x: normed, layer.qkv, tokens: N, inputs: D, outputs: S, dx: dnormed, dweight: gradient.qkv,
            adding: adding)
        RMSNorm.backward(
            pool, dy: dnormed, x: input, gain: layer.inputNorm, rstd: inputRstd, dx: dresidual,
            dgain: gradient.inputNorm, adding: adding, scratch: activations.scratch)
    }

    private func applyRotary(to qkv: FloatSlice, inverse: Bool) {
        let T = sequenceLength
        rotary.apply(pool, to: qkv, stride: S, heads: rotaryHeads, inverse: inverse) { token in token % T }
    }

    /// `y = x W^T (+ y)`: x `[N, inputs]`, W `[outputs, inputs]`, y `[N, outputs]`.
    func linear(
        _ x: FloatSlice, _ weight: FloatSlice, tokens N: Int, inputs: Int, outputs: Int, into y: FloatSlice,
        adding: Bool = false
    ) {
        pool.multiply(
            Matrix(x, rows: N, columns: inputs), .asStored, Matrix(weight, rows: outputs, columns: inputs), .transposed,
            into: Matrix(y, rows: N, columns: outputs), adding: adding)
    }

    /// `dx = dy W` and `dW = dy^T x (+ dW)`.
    private func linearBackward(
        _ dy: FloatSlice, x: FloatSlice, _ weight: FloatSlice, tokens N: Int, inputs: Int, outputs: Int,
        dx: FloatSlice, dweight: FloatSlice, adding: Bool
    ) {
        let dy_NO = Matrix(dy, rows: N, columns: outputs)
        pool.multiply(
            dy_NO, .asStored, Matrix(weight, rows: outputs, columns: inputs), .asStored,
            into: Matrix(dx, rows: N, columns: inputs))
        pool.multiply(
            dy_NO, .transposed, Matrix(x, rows: N, columns: inputs), .asStored,
            into: Matrix(dweight, rows: outputs, columns: inputs), adding: adding)
    }
}
