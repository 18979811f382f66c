// ModelTensors - the tensors of a model: their table, with Hugging Face's names and shapes, and slices by role.

public import Tensors

extension ModelConfiguration {
    /// Every parameter tensor, in the order of the forward pass: embedding, layers, final norm, head.
    ///
    /// Weights are `[out, in]` as in `torch.nn.Linear`. q, k and v follow one another, so that one matmul computes
    /// them. Gate and up do too, and the biases and head norms of both groups. A tied model has no `lm_head.weight`.
    public var tensorTable: TensorTable {
        var tensors: [(name: String, shape: [Int], kind: TensorTable.Kind)] = []
        let D = hiddenSize
        let F = intermediateSize
        let queryRows = attentionHeadCount * headSize
        let keyValueRows = keyValueHeadCount * headSize
        tensors.append(("model.embed_tokens.weight", [vocabularySize, D], .embedding))
        for layer in 0..<hiddenLayerCount {
            let prefix = "model.layers.\(layer)."
            tensors.append((prefix + "input_layernorm.weight", [D], .gain))
            tensors.append((prefix + "self_attn.q_proj.weight", [queryRows, D], .matrix))
            tensors.append((prefix + "self_attn.k_proj.weight", [keyValueRows, D], .matrix))
            tensors.append((prefix + "self_attn.v_proj.weight", [keyValueRows, D], .matrix))
            if attentionBiases != .none {
                tensors.append((prefix + "self_attn.q_proj.bias", [queryRows], .bias))
                tensors.append((prefix + "self_attn.k_proj.bias", [keyValueRows], .bias))
                tensors.append((prefix + "self_attn.v_proj.bias", [keyValueRows], .bias))
            }
            if hasHeadNorms {
                tensors.append((prefix + "self_attn.q_norm.weight", [headSize], .gain))
                tensors.append((prefix + "self_attn.k_norm.weight", [headSize], .gain))
            }
            tensors.append((prefix + "self_attn.o_proj.weight", [D, queryRows], .matrix))
            if attentionBiases == .all { tensors.append((prefix + "self_attn.o_proj.bias", [D], .bias)) }
            tensors.append((prefix + "post_attention_layernorm.weight", [D], .gain))
            tensors.append((prefix + "mlp.gate_proj.weight", [F, D], .matrix))
            tensors.append((prefix + "mlp.up_proj.weight", [F, D], .matrix))
            if mlpBias {
                tensors.append((prefix + "mlp.gate_proj.bias", [F], .bias))
                tensors.append((prefix + "mlp.up_proj.bias", [F], .bias))
                tensors.append((prefix + "mlp.down_proj.bias", [D], .bias))
            }
            // The last of a layer, where ``SharedGradientMemory`` ends it.
            tensors.append((prefix + "mlp.down_proj.weight", [D, F], .matrix))
        }
        tensors.append(("model.norm.weight", [D], .gain))
        if !tieWordEmbeddings { tensors.append(("lm_head.weight", [vocabularySize, D], .matrix)) }
        return TensorTable(tensors)
    }
}

extension ModelConfiguration {
    /// Flat indices in the order in which backward reports them: the start of the final norm (an untied head lies
    /// behind it), of the layers from the last to the first, and 0.
    ///
    /// Every gradient at or behind an index is final once backward has reported the index.
    public var gradientFinalIndices: [Int] {
        let table = tensorTable
        let layers = (0..<hiddenLayerCount).reversed().map { "model.layers.\($0).input_layernorm.weight" }
        return (["model.norm.weight"] + layers).compactMap { table[$0]?.range.lowerBound } + [0]
    }
}

extension ModelConfiguration {
    /// Whether a tensor's gradient is zero except in the rows of tokens that occurred: an untied embedding.
    public func hasSparseGradient(_ entry: TensorTable.Entry) -> Bool {
        entry.name == "model.embed_tokens.weight" && !tieWordEmbeddings
    }
}

extension ModelConfiguration {
    /// End (exclusive flat index) of the parameters that forward reads for the embedding, for each layer, for
    /// everything.
    var layerParameterEnds: (embedding: Int, layers: [Int], all: Int) {
        let table = tensorTable
        // Falling: final norm, layers from the last to the first, 0. A layer ends where the next or the final norm begins.
        let starts = gradientFinalIndices.dropLast()
        return (starts.last ?? table.count, starts.dropLast().reversed(), table.count)
    }
}

/// The tensors of a model by role.
///
/// Gains and biases are fp32. Matrices are matmul operands (weights) or fp32 (gradients).
struct ModelSlices<Matrices: Sendable>: Sendable {
    /// The tensors of one decoder layer. A tensor that the architecture lacks is nil.
    ///
    /// Legend: D hidden, F ffn, Dh = head size, Q = heads * Dh, KV = key/value heads * Dh.
    struct Layer: Sendable {
        /// `[D]`
        let inputNorm: FloatSlice
        /// q, k and v as one matrix, `[Q + 2 KV, D]`.
        let qkv: Matrices
        /// Biases of q, k and v, `[Q + 2 KV]`.
        let qkvBias: FloatSlice?
        /// Gains of each head's queries and of its keys, one behind the other, `[2 Dh]`.
        let headNorms: FloatSlice?
        /// `[D, Q]`
        let output: Matrices
        /// `[D]`
        let outputBias: FloatSlice?
        /// `[D]`
        let postAttentionNorm: FloatSlice
        /// gate and up as one matrix, `[2F, D]`.
        let gateUp: Matrices
        /// Biases of gate and up, `[2F]`.
        let gateUpBias: FloatSlice?
        /// `[D, F]`
        let down: Matrices
        /// `[D]`
        let downBias: FloatSlice?
        /// Whether rotary embeddings turn the layer's queries and keys.
        let isRotated: Bool
    }

    /// `[V, D]`
    let embedding: Matrices
    let layers: [Layer]
    /// `[D]`
    let finalNorm: FloatSlice
    /// `[V, D]`; the embedding itself when tied.
    let head: Matrices

    /// - Parameters:
    ///   - vector: gives the gains or biases at a flat range.
    ///   - matrix: gives the matrix at a flat range.
    init(
        _ configuration: ModelConfiguration, vector: (Range<Int>) -> FloatSlice, matrix: (Range<Int>) -> Matrices
    ) {
        let table = configuration.tensorTable
        func range(_ first: String, through last: String? = nil) -> Range<Int> {
            guard let start = table[first], let end = table[last ?? first] else {
                preconditionFailure("the tensor table lacks \(first)")
            }
            return start.range.lowerBound..<end.range.upperBound
        }
        /// The vectors from one through another; nil where the table lacks them.
        func optional(_ first: String, through last: String? = nil) -> FloatSlice? {
            table[first] == nil ? nil : vector(range(first, through: last))
        }
        embedding = matrix(range("model.embed_tokens.weight"))
        layers = (0..<configuration.hiddenLayerCount).map { layer in
            let prefix = "model.layers.\(layer)."
            return Layer(
                inputNorm: vector(range(prefix + "input_layernorm.weight")),
                qkv: matrix(
                    range(prefix + "self_attn.q_proj.weight", through: prefix + "self_attn.v_proj.weight")),
                qkvBias: optional(prefix + "self_attn.q_proj.bias", through: prefix + "self_attn.v_proj.bias"),
                headNorms: optional(prefix + "self_attn.q_norm.weight", through: prefix + "self_attn.k_norm.weight"),
                output: matrix(range(prefix + "self_attn.o_proj.weight")),
                outputBias: optional(prefix + "self_attn.o_proj.bias"),
                postAttentionNorm: vector(range(prefix + "post_attention_layernorm.weight")),
                gateUp: matrix(range(prefix + "mlp.gate_proj.weight", through: prefix + "mlp.up_proj.weight")),
                gateUpBias: optional(prefix + "mlp.gate_proj.bias", through: prefix + "mlp.up_proj.bias"),
                down: matrix(range(prefix + "mlp.down_proj.weight")),
                downBias: optional(prefix + "mlp.down_proj.bias"), isRotated: configuration.isRotated(layer: layer))
        }
        finalNorm = vector(range("model.norm.weight"))
        head = configuration.tieWordEmbeddings ? embedding : matrix(range("lm_head.weight"))
    }
}

extension ModelSlices<FloatSlice> {
    /// Slices of a flat fp32 buffer, for gradients; traps unless it has the model's size.
    init(_ configuration: ModelConfiguration, flat: FloatSlice) {
        let count = configuration.tensorTable.count
        precondition(flat.count == count, "\(flat.count) floats for a model of \(count)")
        self.init(configuration, vector: { flat[$0] }, matrix: { flat[$0] })
    }
}

extension ModelSlices<OperandSlice> {
    /// Slices of a replica, for weights; traps unless it has the model's size.
    init(_ configuration: ModelConfiguration, _ parameters: ParameterReplica) {
        let count = configuration.tensorTable.count
        precondition(parameters.count == count, "\(parameters.count) numbers for a model of \(count)")
        switch parameters {
        case .fp32(let flat): self.init(configuration, vector: { flat[$0] }, matrix: { .fp32(flat[$0]) })
        case .bf16(let flat, let fp32Tensors):
            self.init(configuration, vector: { fp32Tensors.tensor(at: $0) }, matrix: { .bf16(flat[$0]) })
        }
    }
}
