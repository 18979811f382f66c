// ConfigurationKeysTests - keys of real config.json files: what changes nothing is listed, all else is refused at once.

import CheckpointFixtures
import Checkpointing
import LlamaModel
import Testing

@testable import HuggingFace

@Suite struct ConfigurationKeysTests {
    private static let minimum =
        #""model_type":"llama","hidden_size":8,"intermediate_size":12,"num_hidden_layers":3,"vocab_size":40,"#
        + #""num_attention_heads":4"#

    private func read(_ members: String) throws -> HuggingFaceConfiguration {
        try HuggingFaceConfiguration(Array("{\(Self.minimum),\(members)}".utf8), file: "config.json")
    }

    private func failure(_ members: String) throws -> HuggingFaceError {
        try #require(throws: HuggingFaceError.self) { try read(members) }
    }

    /// What the keys of real files are called, and how they are listed.
    @Test(arguments: [
        (#""is_llama_config":true"#, ["is_llama_config true"]),
        (#""rope_interleaved":false"#, ["rope_interleaved false"]),
        (#""hidden_dropout":0.0"#, ["hidden_dropout 0.0"]), (#""resid_pdrop":0"#, ["resid_pdrop 0"]),
        (
            #""use_sliding_window":false,"sliding_window":4096,"max_window_layers":28"#,
            ["use_sliding_window false", "sliding_window 4096", "max_window_layers 28"]
        ),
        (#""pretraining_tp":2"#, ["pretraining_tp 2"]), (#""attention_dropout":-0.0"#, ["attention_dropout -0.0"]),
        (#""rope_scaling":{"rope_type":"default"}"#, [#"rope_scaling { "rope_type": "default" }"#]),
        (#""rope_scaling":{"type":"linear","factor":1}"#, [#"rope_scaling { "type": "linear", "factor": 1 }"#]),
        (#""unsloth_version":"2024.9","unsloth_fixed":true"#, [#"unsloth_version "2024.9""#, "unsloth_fixed true"]),
        (
            #""layer_types":["full_attention","full_attention"]"#,
            [#"layer_types [ "full_attention", "full_attention" ]"#]
        ),
        (#""auto_map":{"AutoTokenizer":["x.Y",null]}"#, [#"auto_map { "AutoTokenizer": [ "x.Y", null ] }"#]),
        (#""no_bias":true,"qkv_bias":false,"rotary_pct":1.0"#, ["no_bias true", "qkv_bias false", "rotary_pct 1.0"]),
        // Unset, whatever it is.
        (#""clip_qkv":null"#, ["clip_qkv null"]),
        // In most files, and at its usual value: nothing to list.
        (#""pretraining_tp":1,"rope_scaling":null,"attention_dropout":0.0,"sliding_window":null,"use_cache":true"#, []),
    ])
    func whatChangesNothingIsListed(members: String, listed: [String]) throws {
        let configuration = try read(members)
        #expect(configuration.passedOver == listed)
        #expect(try configuration.model == read("\"use_cache\":true").model)
    }

    /// As transformers 4.57 has it with all attributes, and as others wrote LLaMA's architecture.
    @Test(arguments: [
        // huggyllama/llama-7b and Vicuna, OpenLLaMA.
        #""architectures":["LlamaForCausalLM"],"bos_token_id":1,"eos_token_id":2,"hidden_act":"silu","initializer_range":0.02,"max_position_embeddings":2048,"max_sequence_length":2048,"pad_token_id":0,"rms_norm_eps":1e-06,"tie_word_embeddings":false,"torch_dtype":"float16","transformers_version":"4.28.0.dev0","use_cache":true,"_name_or_path":"x""#,
        // LLaMA 2, TinyLlama, CodeLlama, Yi, DeepSeek LLM.
        #""attention_bias":false,"max_position_embeddings":4096,"num_key_value_heads":4,"pretraining_tp":1,"rms_norm_eps":1e-05,"rope_scaling":null,"rope_theta":5000000.0,"tie_word_embeddings":false,"torch_dtype":"bfloat16","use_cache":false,"gradient_checkpointing":false"#,
        // LLaMA 3 and its fine-tunes.
        #""attention_bias":false,"attention_dropout":0.0,"bos_token_id":128000,"eos_token_id":[128001,128009],"mlp_bias":false,"rope_theta":500000.0,"rope_scaling":null,"unsloth_version":"2024.9","_attn_implementation":"sdpa","use_flash_attention_2":true"#,
        // SmolLM and SmolLM 2, as nanotron converts.
        #""is_llama_config":true,"rope_interleaved":false,"pad_token_id":2,"transformers.js_config":{"kv_cache_dtype":{"q4f16":"float16"}},"qk_layer_norms":false,"neftune_noise_alpha":0.0,"use_resampler":false"#,
        // Models of other names whose weights were turned into LLaMA's.
        #""use_sliding_window":false,"sliding_window":32768,"max_window_layers":21,"use_mrope":null,"hidden_dropout":0.0,"emb_dropout_prob":0.0,"attn_dropout_prob":0.0,"no_bias":true,"seq_length":8192,"onnx_safe":null,"rotary_pct":1.0,"use_dynamic_ntk":false,"use_logn_attn":false,"tokenizer_class":"LlamaTokenizer","model_max_length":4096"#,
        #""add_cross_attention":false,"bad_words_ids":null,"begin_suppress_tokens":null,"chunk_size_feed_forward":0,"cross_attention_hidden_size":null,"decoder_start_token_id":null,"diversity_penalty":0.0,"do_sample":false,"dtype":null,"early_stopping":false,"encoder_no_repeat_ngram_size":0,"exponential_decay_length_penalty":null,"finetuning_task":null,"forced_bos_token_id":null,"forced_eos_token_id":null,"head_dim":2,"id2label":{"0":"LABEL_0","1":"LABEL_1"},"is_decoder":false,"is_encoder_decoder":false,"label2id":{"LABEL_0":0,"LABEL_1":1},"length_penalty":1.0,"max_length":20,"min_length":0,"no_repeat_ngram_size":0,"num_beam_groups":1,"num_beams":1,"num_return_sequences":1,"output_attentions":false,"output_hidden_states":false,"output_scores":false,"prefix":null,"problem_type":null,"pruned_heads":{},"remove_invalid_values":false,"repetition_penalty":1.0,"return_dict":true,"return_dict_in_generate":false,"sep_token_id":null,"suppress_tokens":null,"task_specific_params":null,"temperature":1.0,"tf_legacy_loss":false,"tie_encoder_decoder":false,"tokenizer_class":null,"top_k":50,"top_p":1.0,"torchscript":false,"typical_p":1.0,"use_bfloat16":false"#,
    ])
    func realFilesAreRead(members: String) throws {
        #expect(try read(members).model.hiddenSize == 8)
    }

    /// One round of editing, not one for each key.
    @Test func allThatIsRefusedIsSaidAtOnce() throws {
        let error = try failure(
            #""rope_scaling":{"rope_type":"yarn","factor":8.0},"num_experts":8,"attention_bias":"yes","logit_scale":0.5,"#
                + #""quantization_config":{"bits":4},"hidden_dropout":0.1,"is_llama_config":true,"head_dim":3"#)
        #expect(error.kind == .unsupported)
        let lines = error.message.split(separator: "\n").map(String.init)
        #expect(
            lines == [
                "what follows cannot be imported:",
                "  quantization_config is { \"bits\": 4 }; allowed: null (quantized weights are not supported: export them "
                    + "unquantized first)",
                "  hidden_dropout is 0.1; allowed: 0.0 (dropout and noise are not supported)",
                "  rope_scaling is { \"rope_type\": \"yarn\", \"factor\": 8.0 }; allowed: null, or rope_type default, linear or "
                    + "llama3 with its factors (other scalings of rotary embeddings are not supported)",
                "  attention_bias must be true or false",
                "  head_dim is 3; rotary embeddings turn pairs of features; allowed: an even number",
                "  'num_experts', 'logit_scale' are unknown here and may change what the model computes; if they do not, remove "
                    + "them from the file",
            ])
        let unknown = try failure(#""a":1,"b":2"#)
        #expect(unknown.kind == .unknownKey && unknown.message.contains("'a', 'b' are unknown"))
        let many = try failure((0..<500).map { "\"key \($0)\":1" }.joined(separator: ","))
        #expect(many.message.utf8.count < 500 && many.message.contains("and 492 more"))
    }

    /// A key that changes nothing at one value is refused at another.
    @Test(arguments: [
        #""rope_interleaved":true"#, #""hidden_dropout":0.1"#, #""use_sliding_window":true"#, #""use_bias":true"#,
        #""no_bias":false"#, #""rotary_pct":0.25"#, #""embedding_multiplier":12.0"#, #""use_rope":false"#,
        #""layer_types":["full_attention","sliding_attention"]"#, #""no_rope_layers":[1,0]"#, #""qk_norm":"yes""#,
        #""use_sliding_window":true,"sliding_window":4096"#, #""rope_scaling":{"type":"linear","factor":0}"#,
        #""rope_scaling":{"type":"llama3","factor":8.0,"low_freq_factor":4,"high_freq_factor":1}"#,
        #""rope_scaling":{"type":"dynamic","factor":1.0}"#, #""rope_scaling":{"type":"linear"}"#, #""rope_scaling":1"#,
        #""rope_scaling":{"type":"default","factor":2.0}"#, #""rope_scaling":{"type":"default","short_factor":[1]}"#,
        #""rope_scaling":{"type":"default","rope_type":"yarn"}"#, #""rope_parameters":{"partial_rotary_factor":0.5}"#,
        #""pretraining_tp":1.5"#, #""quantization":{"bits":4}"#, #""position_embedding_type":"alibi""#,
    ])
    func otherValuesAreRefused(members: String) throws {
        #expect(try failure(members).kind == .unsupported)
    }

    @Test func codeOfTheDirectoryIsNotPassedOver() throws {
        for value in [#"{"AutoModelForCausalLM":"x.Y"}"#, #"{"AutoTokenizer":"x.Y","AutoConfig":"x.Z"}"#, "1"] {
            let error = try failure("\"auto_map\":\(value)")
            #expect(error.kind == .unknownKey && error.message.contains("'auto_map'"))
        }
    }

    @Test func plainFormsOfRotaryParametersAreRead() throws {
        for value in [
            #"{"rope_theta":5e5,"rope_type":"default","partial_rotary_factor":1.0}"#,
            #"{"rope_theta":5e5,"rope_type":"linear","factor":1.0}"#, #"{"rope_theta":5e5,"factor":null}"#,
        ] {
            #expect(try read("\"rope_parameters\":\(value)").model.ropeTheta == 500_000)
        }
    }

    private func read(_ type: String, _ members: String) throws -> HuggingFaceConfiguration {
        let start = Self.minimum.replacing(#""model_type":"llama""#, with: "\"model_type\":\"\(type)\"")
        return try HuggingFaceConfiguration(Array("{\(start),\(members)}".utf8), file: "config.json")
    }

    /// Keys of published files of other architectures, besides sizes. None of them needs a note.
    @Test(arguments: [
        (
            "mistral",
            #""architectures":["MistralForCausalLM"],"attention_dropout":0.0,"bos_token_id":1,"eos_token_id":2,"head_dim":6,"hidden_act":"silu","initializer_range":0.02,"num_key_value_heads":2,"rms_norm_eps":1e-05,"rope_theta":1000000.0,"sliding_window":null,"tie_word_embeddings":false,"torch_dtype":"bfloat16","transformers_version":"4.42.0.dev0","use_cache":true"#
        ),
        (
            "qwen2",
            #""architectures":["Qwen2ForCausalLM"],"attention_dropout":0.0,"bos_token_id":151643,"eos_token_id":151643,"hidden_act":"silu","initializer_range":0.02,"max_window_layers":24,"num_key_value_heads":2,"rms_norm_eps":1e-06,"rope_theta":1000000.0,"sliding_window":32768,"tie_word_embeddings":true,"torch_dtype":"bfloat16","use_cache":true,"use_sliding_window":false"#
        ),
        (
            "qwen3",
            #""architectures":["Qwen3ForCausalLM"],"attention_bias":false,"attention_dropout":0.0,"head_dim":128,"hidden_act":"silu","max_window_layers":28,"num_key_value_heads":2,"rms_norm_eps":1e-06,"rope_scaling":null,"rope_theta":1000000,"sliding_window":null,"use_sliding_window":false,"use_cache":true"#
        ),
        (
            "smollm3",
            #""architectures":["SmolLM3ForCausalLM"],"attention_bias":false,"max_window_layers":28,"mlp_bias":false,"no_rope_layer_interval":4,"no_rope_layers":[1,1,1],"num_key_value_heads":2,"pretraining_tp":1,"rope_scaling":null,"rope_theta":5000000.0,"sliding_window":null,"use_cache":false,"use_sliding_window":false"#
        ),
    ])
    func filesOfOtherArchitecturesAreRead(type: String, members: String) throws {
        let configuration = try read(type, members)
        #expect(configuration.passedOver.isEmpty)
        #expect(configuration.model.architecture.rawValue == type)
    }

    /// A setting that one architecture has and another has not.
    @Test(arguments: [
        ("mistral", #""attention_bias":true"#, "attention_bias"), ("mistral", #""mlp_bias":true"#, "mlp_bias"),
        ("qwen2", #""use_sliding_window":true,"sliding_window":4096,"max_window_layers":2"#, "use_sliding_window"),
        ("qwen3", #""layer_types":["sliding_attention"]"#, "layer_types"), ("qwen3", #""mlp_bias":true"#, "mlp_bias"),
        ("mistral", #""architectures":["LlamaForCausalLM"]"#, "MistralForCausalLM"),
        ("qwen3", #""no_rope_layers":[1,0,1]"#, "no_rope_layers"),
        ("mistral", #""sliding_window":0"#, "sliding_window"),
    ])
    func settingsOfOtherArchitecturesAreRefused(type: String, members: String, name: String) throws {
        let members = members + #","num_key_value_heads":2"#
        let error = try #require(throws: HuggingFaceError.self) { try read(type, members) }
        #expect(error.message.contains(name) && !error.message.contains("\n"), "\(error)")
    }
}
