// ModelSlices - the parameters (or gradients) of a model, cut into named tensors.

internal import Tensors

/// Tensors by role: norm gains in fp32, matrices in the format that the matmuls read (weights) or in fp32 (gradients).
struct ModelSlices<Matrices: Sendable>: Sendable {
    /// The tensors of one decoder layer. Legend: D hidden, F ffn, Q = heads * head size, KV = key/value heads * head size.
    struct Layer: Sendable {
        /// `[D]`
        let inputNorm: FloatSlice
        /// q, k and v as one matrix, `[Q + 2 KV, D]`.
        let qkv: Matrices
        /// `[D, Q]`
        let output: Matrices
        /// `[D]`
        let postAttentionNorm: FloatSlice
        /// gate and up as one matrix, `[2F, D]`.
        let gateUp: Matrices
        /// `[D, F]`
        let down: Matrices
    }

    /// `[V, D]`
    let embedding: Matrices
    let layers: [Layer]
    /// `[D]`
    let finalNorm: FloatSlice
    /// `[V, D]`; the embedding itself when tied.
    let head: Matrices

    /// - Parameters:
    ///   - gain: the norm gain at a flat range.
    ///   - matrix: the matrix at a flat range.
    init(
        _ configuration: ModelConfiguration, gain: (Range<Int>) -> FloatSlice, matrix: (Range<Int>) -> Matrices
    ) {
        let table = configuration.tensorTable
        func range(_ first: String, through last: String? = nil) -> Range<Int> {
            guard let start = table[first], let end = table[last ?? first] else {
                preconditionFailure("the tensor table lacks \(first)")
            }
            return start.range.lowerBound..<end.range.upperBound
        }
        embedding = matrix(range("model.embed_tokens.weight"))
        layers = (0..<configuration.hiddenLayerCount).map { layer in
            let prefix = "model.layers.\(layer)."
            return Layer(
                inputNorm: gain(range(prefix + "input_layernorm.weight")),
                qkv: matrix(
                    range(prefix + "self_attn.q_proj.weight", through: prefix + "self_attn.v_proj.weight")),
                output: matrix(range(prefix + "self_attn.o_proj.weight")),
                postAttentionNorm: gain(range(prefix + "post_attention_layernorm.weight")),
                gateUp: matrix(range(prefix + "mlp.gate_proj.weight", through: prefix + "mlp.up_proj.weight")),
                down: matrix(range(prefix + "mlp.down_proj.weight")))
        }
        finalNorm = gain(range("model.norm.weight"))
        head = configuration.tieWordEmbeddings ? embedding : matrix(range("lm_head.weight"))
    }
}

extension ModelSlices<FloatSlice> {
    /// The cut of a flat fp32 buffer, for gradients.
    init(_ configuration: ModelConfiguration, flat: FloatSlice) {
        let count = configuration.tensorTable.count
        precondition(flat.count == count, "\(flat.count) floats for a model of \(count)")
        self.init(configuration, gain: { flat[$0] }, matrix: { flat[$0] })
    }
}

extension ModelSlices<OperandSlice> {
    /// The cut of a replica.
    init(_ configuration: ModelConfiguration, _ parameters: ParameterReplica) {
        let count = configuration.tensorTable.count
        precondition(parameters.count == count, "\(parameters.count) numbers for a model of \(count)")
        switch parameters {
        case .fp32(let flat): self.init(configuration, gain: { flat[$0] }, matrix: { .fp32(flat[$0]) })
        case .bf16(let flat, let exact):
            self.init(configuration, gain: { exact.tensor(at: $0) }, matrix: { .bf16(flat[$0]) })
        }
    }
}
