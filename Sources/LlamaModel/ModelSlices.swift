// ModelSlices - the flat parameter (or gradient) buffer of a model, cut into named tensors.

internal import Tensors

/// Views of one flat buffer by role. The same cut serves parameters and gradients.
struct ModelSlices {
    /// The tensors of one decoder layer. Legend: D hidden, F ffn, Q = heads * head size, KV = key/value heads * head size.
    struct Layer {
        /// `[D]`
        let inputNorm: FloatSlice
        /// q, k and v as one matrix, `[Q + 2 KV, D]`.
        let qkv: FloatSlice
        /// `[D, Q]`
        let output: FloatSlice
        /// `[D]`
        let postAttentionNorm: FloatSlice
        /// gate and up as one matrix, `[2F, D]`.
        let gateUp: FloatSlice
        /// `[D, F]`
        let down: FloatSlice
    }

    private let flat: FloatSlice
    /// `[V, D]`
    let embedding: FloatSlice
    let layers: [Layer]
    /// `[D]`
    let finalNorm: FloatSlice
    /// `[V, D]`; the embedding itself when tied.
    let head: FloatSlice

    init(_ configuration: ModelConfiguration, flat: FloatSlice) {
        let table = configuration.tensorTable
        precondition(flat.count == table.count, "\(flat.count) floats for a model of \(table.count)")
        self.flat = flat
        func slice(_ first: String, through last: String? = nil) -> FloatSlice {
            guard let start = table[first], let end = table[last ?? first] else {
                preconditionFailure("the tensor table lacks \(first)")
            }
            return flat[start.range.lowerBound..<end.range.upperBound]
        }
        embedding = slice("model.embed_tokens.weight")
        layers = (0..<configuration.hiddenLayerCount).map { layer in
            let prefix = "model.layers.\(layer)."
            return Layer(
                inputNorm: slice(prefix + "input_layernorm.weight"),
                qkv: slice(prefix + "self_attn.q_proj.weight", through: prefix + "self_attn.v_proj.weight"),
                output: slice(prefix + "self_attn.o_proj.weight"),
                postAttentionNorm: slice(prefix + "post_attention_layernorm.weight"),
                gateUp: slice(prefix + "mlp.gate_proj.weight", through: prefix + "mlp.up_proj.weight"),
                down: slice(prefix + "mlp.down_proj.weight"))
        }
        finalNorm = slice("model.norm.weight")
        head = configuration.tieWordEmbeddings ? embedding : slice("lm_head.weight")
    }

    /// Where a tensor of this cut starts in the flat space.
    func position(of tensor: FloatSlice) -> Int { tensor.offset - flat.offset }
}
