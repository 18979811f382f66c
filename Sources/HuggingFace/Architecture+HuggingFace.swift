// Architecture+HuggingFace - what transformers calls an architecture, and the defaults of its configuration.

internal import LlamaModel

extension ModelConfiguration.Architecture {
    /// The class of transformers that computes the architecture.
    var className: String {
        switch self {
        case .llama: "LlamaForCausalLM"
        case .mistral: "MistralForCausalLM"
        case .qwen2: "Qwen2ForCausalLM"
        case .qwen3: "Qwen3ForCausalLM"
        case .smollm3: "SmolLM3ForCausalLM"
        }
    }

    /// The value of a whole number in a `config.json` without the key; nil: the same as for a LLaMA.
    func size(_ key: String) -> Int? {
        switch (self, key) {
        case (.mistral, "num_key_value_heads"): 8
        case (.mistral, "max_position_embeddings"): 131_072
        case (.mistral, "sliding_window"): 4096
        case (.qwen2, "num_key_value_heads"), (.qwen3, "num_key_value_heads"): 32
        case (.qwen2, "max_position_embeddings"), (.qwen3, "max_position_embeddings"): 32768
        case (.qwen3, "head_dim"): 128
        case (.smollm3, "num_key_value_heads"), (.smollm3, "no_rope_layer_interval"): 4
        case (.smollm3, "max_position_embeddings"): 32768
        default: nil
        }
    }

    /// The rotary base of a `config.json` without one.
    var ropeTheta: Double { self == .smollm3 ? 2_000_000 : 10000 }

    /// Whether the head of a `config.json` without `tie_word_embeddings` is the embedding.
    var tiesWordEmbeddings: Bool { self == .smollm3 }
}
