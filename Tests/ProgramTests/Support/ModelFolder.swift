// ModelFolder - a Hugging Face directory of a tiny model, for imports that need no training before.

import TestSupport

extension TemporaryFolder {
    /// Writes `config.json` and `model.safetensors` of the model of ``Workplace``, all weights 1/64, without tokenizer files.
    func writeModel(to name: String, vocabularySize: Int = 257) throws {
        try write(
            """
            {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 32,
             "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
             "vocab_size": \(vocabularySize), "max_position_embeddings": 32, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
             "initializer_range": 0.02, "tie_word_embeddings": false, "torch_dtype": "bfloat16"}
            """, to: name + "/config.json")
        var shapes = [
            ("model.embed_tokens.weight", [vocabularySize, 32]), ("model.norm.weight", [32]),
            ("lm_head.weight", [vocabularySize, 32]),
        ]
        for layer in 0..<2 {
            for (tensor, shape) in [
                ("input_layernorm", [32]), ("post_attention_layernorm", [32]), ("self_attn.q_proj", [32, 32]),
                ("self_attn.k_proj", [16, 32]), ("self_attn.v_proj", [16, 32]), ("self_attn.o_proj", [32, 32]),
                ("mlp.gate_proj", [64, 32]), ("mlp.up_proj", [64, 32]), ("mlp.down_proj", [32, 64]),
            ] {
                shapes.append(("model.layers.\(layer).\(tensor).weight", shape))
            }
        }
        var count = 0
        let entries = shapes.map { name, shape in
            let start = 2 * count
            count += shape.reduce(1, *)
            return "\"\(name)\": {\"dtype\": \"BF16\", \"shape\": \(shape), \"data_offsets\": [\(start), \(2 * count)]}"
        }
        let header = Array("{\(entries.joined(separator: ", "))}".utf8)
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
        // 1/64 as bfloat16: 0x3C80.
        let weights = (0..<(2 * count)).map { $0 % 2 == 0 ? 0x80 : 0x3C } as [UInt8]
        try write(length + header + weights, to: name + "/model.safetensors")
    }
}
