// ConfigurationKeys - the keys of config.json that change nothing, with their values. All others are refused.

internal import JSONReading
internal import LlamaModel

/// The keys of a `config.json` that are not read, sorted into passed over, refused and unknown.
///
/// Why a list of known keys: a model that lacks a setting looks right and computes other numbers. Each listed key is
/// in real files of the architectures that are read, or is an attribute of transformers' configurations.
struct ConfigurationKeys {
    /// Keys that are unusual and change nothing, each with its value.
    private(set) var passedOver: [String] = []
    /// What is refused.
    private(set) var problems = ConfigurationProblems()

    /// - Parameter read: the keys that are read elsewhere.
    init(_ tree: JSONTree, read: Set<String>, architecture: ModelConfiguration.Architecture) {
        guard case .object(let members) = tree else { preconditionFailure("a configuration is an object") }
        let ordinary = Self.ordinary.union(Self.ordinary(of: architecture, tree))
        for member in members where !read.contains(member.key) && !ordinary.contains(member.key) {
            let isNull = member.value == .null
            if Self.immaterial.contains(member.key) || Self.isWithoutEffect(member, tree) {
                if !isNull { passedOver.append(Self.shown(member)) }
            } else if let rule = Self.rule(member.key, architecture) {
                if !rule.allows(member.value) {
                    problems.refused.append("\(Self.shown(member, "is")); allowed: \(rule.allowed) (\(rule.meaning))")
                } else if !rule.isUsual(member.value) {
                    passedOver.append(Self.shown(member))
                }
            } else if isNull {
                // In transformers null means that a setting is not made.
                passedOver.append(Self.shown(member))
            } else {
                problems.unknown.append(quoted(member.key))
            }
        }
    }

    // MARK: - Rules

    /// The values at which a key changes nothing.
    private struct Rule: Sendable {
        let allows: @Sendable (JSONTree) -> Bool
        /// Whether a value is so common that no note is needed.
        let isUsual: @Sendable (JSONTree) -> Bool
        /// The allowed values in words.
        let allowed: String
        /// Why others are refused.
        let meaning: String

        /// - Parameters:
        ///   - allowed: the allowed values in words.
        ///   - meaning: the reason for which others are refused.
        ///   - usual: the values that need no note.
        init(
            _ allowed: String, _ meaning: String, usual: [JSONTree] = [.null],
            allows: @escaping @Sendable (JSONTree) -> Bool
        ) {
            self.allowed = allowed
            self.meaning = meaning
            self.allows = allows
            isUsual = { usual.contains($0) }
        }

        /// A key that most files have.
        static func common(_ values: [JSONTree], _ meaning: String) -> Rule {
            Rule(values.map(shown).joined(separator: " or "), meaning, usual: values) { values.contains($0) }
        }

        /// A key that few files have; null is allowed too.
        static func rare(_ values: [JSONTree], _ meaning: String) -> Rule {
            Rule(values.map(shown).joined(separator: " or "), meaning) { $0 == .null || values.contains($0) }
        }

        static func number(_ number: Double, _ meaning: String) -> Rule {
            Rule("\(number)", meaning) { $0 == .null || $0.double == number }
        }
    }

    /// Whether a key depends on another that is not set, or names code for tokenizers alone.
    private static func isWithoutEffect(_ member: JSONTree.Member, _ tree: JSONTree) -> Bool {
        switch member.key {
        case "sliding_window", "max_window_layers": tree["use_sliding_window"] == .boolean(false)
        case "auto_map":
            if case .object(let classes) = member.value {
                classes.allSatisfy { $0.key == "AutoTokenizer" }
            } else {
                false
            }
        default: false
        }
    }

    /// Keys that transformers writes for every model of one architecture, and that change nothing there.
    private static func ordinary(of architecture: ModelConfiguration.Architecture, _ tree: JSONTree) -> Set<String> {
        switch architecture {
        case .llama, .mistral: return []
        case .qwen2, .qwen3, .smollm3:
            // A window that is switched on is refused by the switch.
            var keys: Set = ["sliding_window", "max_window_layers"]
            if tree["use_sliding_window"] == .boolean(false) { keys.insert("use_sliding_window") }
            return keys
        }
    }

    /// The rule of a key in the files of one architecture.
    private static func rule(_ key: String, _ architecture: ModelConfiguration.Architecture) -> Rule? {
        switch key {
        case "architectures":
            let name = architecture.className
            return .common([.array([.string(name)]), .null], "only \(name) is read for this model_type")
        case "attention_bias" where architecture == .qwen2:
            return .common([.boolean(true), .boolean(false), .null], "q, k and v of a qwen2 have biases")
        default: return rules[key]
        }
    }

    private static func shown(_ member: JSONTree.Member, _ verb: String? = nil) -> String {
        ([member.key] + (verb.map { [$0] } ?? []) + [shown(member.value)]).joined(separator: " ")
    }

    /// A value as messages show it: on one line, shortened.
    static func shown(_ value: JSONTree) -> String {
        let text = value.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return text.count > 60 ? text.prefix(60) + "..." : text
    }

    /// Keys that transformers writes, or wrote, for every model. They need no note.
    private static let ordinary: Set<String> = [
        // Storage and provenance.
        "torch_dtype", "dtype", "transformers_version", "_name_or_path", "name_or_path", "_commit_hash",
        // Token ids, which the import compares with the tokenizer's.
        "bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "sep_token_id", "decoder_start_token_id",
        // How inference is run and what it returns.
        "use_cache", "output_attentions", "output_hidden_states", "return_dict", "torchscript", "use_return_dict",
        "_attn_implementation", "_attn_implementation_autoset", "attn_implementation", "keys_to_ignore_at_inference",
        // Earlier LLaMA conversions wrote it beside max_position_embeddings.
        "max_sequence_length",
        // Labels of classifiers, which earlier versions wrote for every model.
        "id2label", "label2id", "problem_type", "finetuning_task", "task_specific_params",
    ]

    /// Keys that change no number of a forward or backward pass, whatever their value.
    private static let immaterial: Set<String> = [
        // Marks of the programs that wrote the file.
        "is_llama_config", "unsloth_version", "unsloth_fixed", "transformers.js_config", "_pre_quantization_dtype",
        "model_name", "architecture", "license", "tokenizer_class", "tokenizer_file", "prefix", "_auto_class",
        // Texts and ids of tokens.
        "bos_token", "eos_token", "pad_token", "unk_token", "cls_token_id", "mask_token_id",
        // How the network is run: memory, kernels, parallelism.
        "gradient_checkpointing", "use_gradient_checkpointing", "use_reentrant_checkpointing", "use_flash_attention",
        "use_flash_attention_2", "use_flash_attn", "_flash_attn_2_enabled", "flash_attn_2_enabled", "attn_impl",
        "use_memory_efficient_attention", "use_xformers", "use_sdpa", "_attn_implementation_internal",
        "experts_implementation", "_experts_implementation", "use_bfloat16", "bf16", "fp16", "fp32", "xla_device",
        "chunk_size_feed_forward", "tf_legacy_loss", "onnx_safe", "use_cache_quantization", "use_cache_kernel",
        "softmax_in_fp32", "attention_softmax_in_fp32", "base_model_tp_plan", "base_model_pp_plan", "tp_size",
        // Lengths of training data and of tokenizers: max_position_embeddings is the model's.
        "seq_length", "model_max_length", "max_seq_len", "max_seq_length",
        // Classifiers and other heads.
        "num_labels", "classifier_dropout", "cross_attention_hidden_size", "ignore_index",
        // Settings of generation, which transformers 4 kept here.
        "bad_words_ids", "begin_suppress_tokens", "diversity_penalty", "do_sample", "early_stopping",
        "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "forced_bos_token_id",
        "forced_eos_token_id", "length_penalty", "max_length", "max_new_tokens", "min_length", "min_new_tokens",
        "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_return_sequences", "output_scores",
        "remove_invalid_values", "repetition_penalty", "return_dict_in_generate", "suppress_tokens", "temperature",
        "top_k", "top_p", "typical_p", "num_logits_to_keep",
    ]

    /// Keys that change nothing at some values, and something at others.
    private static let rules: [String: Rule] = {
        let (yes, no) = (JSONTree.boolean(true), JSONTree.boolean(false))
        let (silu, whole) = ("the MLP's activation is silu", "attention is over the whole sequence")
        let unquantized = "quantized weights are not supported: export them unquantized first"
        var rules: [String: Rule] = [
            "hidden_act": .common([.string("silu"), .null], silu),
            "attention_dropout": Rule("0.0", "dropout is not supported", usual: [.null, .double(0), .integer(0)]) {
                $0 == .null || $0.double == 0
            },
            // A number of slices that one sum is computed in: it changes no result.
            "pretraining_tp": Rule("1 or more", "it is a number of slices", usual: [.null, .integer(1)]) {
                $0 == .null || ($0.integer ?? 0) >= 1
            },
            "is_decoder": .common([no, yes, .null], "the model is a decoder"),
            "pruned_heads": .common([.object([]), .null], "pruned heads are not supported"),
            "quantization_config": .common([.null], unquantized),
            "quantization": .common([.null], unquantized),
            "compression_config": .common([.null], unquantized),
            "sliding_window": Rule("null, or any with use_sliding_window false", whole) { $0 == .null },
            "layer_types": Rule("full_attention for every layer", whole) { value in
                guard case .array(let layers) = value else { return value == .null }
                return layers.allSatisfy { $0 == .string("full_attention") }
            },
            "no_rope_layers": Rule("1 for every layer", "only a smollm3 has layers without rotary embeddings") {
                value in
                guard case .array(let layers) = value else { return value == .null }
                return layers.allSatisfy { $0.double == 1 }
            },
            "position_embedding_type": .rare([.string("rope"), .string("rotary")], "positions are rotary"),
            "hidden_activation": .rare([.string("silu")], silu),
            "activation_function": .rare([.string("silu")], silu),
            "norm_type": .rare([.string("rms_norm"), .string("rmsnorm")], "the norms are RMSNorm"),
            "no_bias": .rare([yes], "projections have no bias"),
        ]
        func add(_ keys: [String], _ rule: Rule) { for key in keys { rules[key] = rule } }
        add(["attention_bias", "mlp_bias"], .common([no, .null], "the architecture has no such biases"))
        add(
            ["is_encoder_decoder", "add_cross_attention", "tie_encoder_decoder"],
            .common([no, .null], "the model is a decoder"))
        add(
            [
                "hidden_dropout", "hidden_dropout_prob", "hidden_dropout_rate", "attention_dropout_prob",
                "attention_dropout_rate", "attention_probs_dropout_prob", "attn_dropout", "attn_dropout_prob",
                "attn_pdrop", "resid_pdrop", "resid_dropout", "residual_dropout", "embd_pdrop", "embd_dropout",
                "emb_dropout_prob", "embedding_dropout", "embed_dropout", "mlp_dropout", "ffn_dropout",
                "activation_dropout", "dropout", "dropout_rate", "dropout_p", "layerdrop", "neftune_noise_alpha",
            ], .number(0, "dropout and noise are not supported"))
        add(
            [
                "use_bias", "bias", "qkv_bias", "add_qkv_bias", "use_qkv_bias", "add_bias_linear", "attn_bias",
                "use_attn_bias", "attention_out_bias", "o_bias", "lm_head_bias", "head_bias", "embedding_bias",
                "norm_bias",
            ], .rare([no], "projections have no bias"))
        add(
            [
                "rope_interleaved", "use_sliding_window", "use_qk_norm", "qk_norm", "qk_layernorm", "qk_layer_norms",
                "use_parallel_residual", "parallel_attn", "parallel_attention", "alibi", "use_alibi", "use_dynamic_ntk",
                "use_logn_attn", "use_mrope", "use_rope_scaling", "multi_query", "normalize_embeddings", "use_moe",
                "use_mla",
                "apply_residual_connection_post_layernorm", "use_resampler",
            ], .rare([no], "no architecture that is read has such a thing"))
        add(
            ["use_rope", "use_rms_norm", "use_rotary_position_embeddings", "use_swiglu"],
            .rare([yes], "every architecture that is read has it")
        )
        add(
            [
                "rotary_pct", "rotary_percent", "partial_rotary_factor", "rope_ratio", "embedding_multiplier",
                "residual_multiplier", "logits_scaling", "scale_emb",
            ], .number(1, "nothing is scaled, and all of a head is rotated"))
        return rules
    }()
}
