// DecoderStack - the network without its head: embedding, decoder layers, final norm; forward and backward.
//
// Legend: B sequences, T tokens per sequence, N = B * T, D hidden.

internal import Kernels
internal import Tensors

/// The network without its head, over buffers that the caller provides.
///
/// Training and evaluation run whole sequences through it. Generation runs new tokens of one sequence, with a cache of
/// keys and values.
struct DecoderStack {
    let configuration: ModelConfiguration
    let weights: ModelSlices<OperandSlice>
    let layer: TransformerLayer
    /// Whether backward recomputes each layer from its input.
    let recomputesLayers: Bool
    let phases: PhaseRecorder
    /// End (exclusive flat index) of the parameters that forward reads for the embedding, for each layer, for
    /// everything.
    private let parameterEnds: (embedding: Int, layers: [Int], all: Int)
    private var pool: ThreadPool { layer.pool }
    private var D: Int { configuration.hiddenSize }

    /// - Parameter positions: T: number of positions of a sequence, or of the key/value cache.
    init(
        _ configuration: ModelConfiguration, _ parameters: ParameterReplica, positions: Int, recomputesLayers: Bool,
        phases: PhaseRecorder, pool: ThreadPool
    ) {
        self.configuration = configuration
        weights = ModelSlices(configuration, parameters)
        layer = TransformerLayer(configuration, positions: positions, pool: pool)
        self.recomputesLayers = recomputesLayers
        self.phases = phases
        parameterEnds = configuration.layerParameterEnds
    }

    /// Runs the network forward. The normalised final hidden states `[N, D]` are then in `buffers.normed`.
    ///
    /// - Parameters:
    ///   - buffers: buffers for N tokens. All layers share the activations where there is one layer's only.
    ///   - isNeeded: called before parameters are read, with rising flat indices: parameters before the index are read
    ///     next.
    func forward(_ pass: Pass, _ buffers: Activations, isNeeded: (_ before: Int) throws -> Void) rethrows {
        phases.enter(.forward)
        try isNeeded(parameterEnds.embedding)
        Embedding.forward(
            pool, tokens: pass.inputs, table: weights.embedding, features: D,
            into: pass.rows(buffers.layers[0].input, D))
        let last = buffers.layers.count - 1
        for index in 0..<configuration.hiddenLayerCount {
            let isLast = index + 1 == configuration.hiddenLayerCount
            let output = isLast ? buffers.final : buffers.layers[min(index + 1, last)].input
            phases.enter(.forward, index)
            try isNeeded(parameterEnds.layers[index])
            layer.forward(
                pass, weights.layers[index], buffers.layers[min(index, last)], buffers,
                cache: pass.cache?.layers[index], into: pass.rows(output, D))
        }
        try isNeeded(parameterEnds.all)
        RMSNorm.forward(
            pool, x: pass.rows(buffers.final, D), gain: weights.finalNorm, epsilon: Float(configuration.rmsNormEpsilon),
            into: pass.rows(buffers.normed, D), rstd: pass.rows(buffers.finalRstd, 1))
    }

    /// Runs the network backward from `buffers.normedGradient`, the gradient of the normalised final hidden states.
    ///
    /// - Parameters:
    ///   - gradients: overwritten unless `adding`.
    ///   - isFinal: called with falling flat indices, last with 0: every gradient at or behind the index is final.
    func backward(
        _ pass: Pass, _ buffers: Activations, gradients: ModelSlices<FloatSlice>, adding: Bool,
        isFinal: (_ from: Int) throws -> Void
    ) rethrows {
        let residualGradient = pass.rows(buffers.residualGradient, D)
        pool.clear(residualGradient)
        RMSNorm.backward(
            pool, outputGradient: pass.rows(buffers.normedGradient, D), x: pass.rows(buffers.final, D),
            gain: weights.finalNorm,
            rstd: pass.rows(buffers.finalRstd, 1), inputGradient: residualGradient, gainGradient: gradients.finalNorm,
            adding: adding,
            scratch: buffers.scratch)
        // The embedding comes first in the flat space, so its offset is the origin of flat indices.
        try isFinal(gradients.finalNorm.offset - gradients.embedding.offset)
        for index in (0..<configuration.hiddenLayerCount).reversed() {
            let (weights, kept) = (weights.layers[index], buffers.layers[index])
            phases.enter(.backward, index)
            // The shared buffers still hold the last layer's activations.
            if recomputesLayers && index + 1 < configuration.hiddenLayerCount {
                layer.recompute(pass, weights, kept, buffers)
            }
            layer.backward(pass, weights, kept, buffers, gradients.layers[index], adding: adding)
            try isFinal(gradients.layers[index].inputNorm.offset - gradients.embedding.offset)
        }
        phases.enter(.backward)
        // A tied head has already written its part of the embedding's gradient.
        Embedding.backward(
            pool, tokens: pass.inputs, outputGradient: residualGradient, features: D,
            tableGradient: gradients.embedding,
            adding: adding || configuration.tieWordEmbeddings)
        try isFinal(0)
    }
}
