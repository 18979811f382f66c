// ModelTensors - the tensor table of a LLaMA: Hugging Face's names and shapes in forward order.

public import Tensors

extension ModelConfiguration {
    /// Every parameter tensor, in the order of the forward pass: embedding, layers, final norm, head.
    ///
    /// Weights are `[out, in]` as in `torch.nn.Linear`. q, k and v follow one another, as do gate and up, so that each
    /// group is one matmul. A tied model has no `lm_head.weight`.
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
            tensors.append((prefix + "self_attn.o_proj.weight", [D, queryRows], .matrix))
            tensors.append((prefix + "post_attention_layernorm.weight", [D], .gain))
            tensors.append((prefix + "mlp.gate_proj.weight", [F, D], .matrix))
            tensors.append((prefix + "mlp.up_proj.weight", [F, D], .matrix))
            tensors.append((prefix + "mlp.down_proj.weight", [D, F], .matrix))
        }
        tensors.append(("model.norm.weight", [D], .gain))
        if !tieWordEmbeddings { tensors.append(("lm_head.weight", [vocabularySize, D], .matrix)) }
        return TensorTable(tensors)
    }
}

extension ModelConfiguration {
    /// Flat positions in the order in which backward reports them: everything at or behind a position is final once it
    /// is reported. The final norm (with an untied head behind it), the layers from the last to the first, the rest.
    public var gradientFinalPositions: [Int] {
        let table = tensorTable
        let layers = (0..<hiddenLayerCount).reversed().map { "model.layers.\($0).input_layernorm.weight" }
        return (["model.norm.weight"] + layers).compactMap { table[$0]?.range.lowerBound } + [0]
    }
}

extension ModelConfiguration {
    /// Whether a tensor's gradient is zero but for the rows of tokens that occurred: the embedding's, unless it is the head
    /// as well.
    public func hasSparseGradient(_ entry: TensorTable.Entry) -> Bool {
        entry.name == "model.embed_tokens.weight" && !tieWordEmbeddings
    }
}

extension ModelConfiguration {
    /// Flat positions before which lies all that the forward pass reads up to the embedding, up to each layer, and in all.
    var layerParameterEnds: (embedding: Int, layers: [Int], all: Int) {
        let table = tensorTable
        // Falling: final norm, layers from the last to the first, 0. A layer ends where the next or the final norm begins.
        let starts = gradientFinalPositions.dropLast()
        return (starts.last ?? table.count, starts.dropLast().reversed(), table.count)
    }
}
