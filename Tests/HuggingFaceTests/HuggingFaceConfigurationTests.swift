// HuggingFaceConfigurationTests - config.json: what is read, what is written, and what must not be passed over.

import CheckpointFixtures
import Checkpointing
import LlamaModel
import Testing

@testable import HuggingFace

@Suite struct HuggingFaceConfigurationTests {
    private static let sizes = #""hidden_size":8,"intermediate_size":12,"num_hidden_layers":3,"vocab_size":40"#
    private static let minimum = #""model_type":"llama",\#(sizes),"num_attention_heads":4"#

    private func read(_ text: String) throws -> ModelConfiguration {
        try HuggingFaceConfiguration(Array(text.utf8), file: "config.json").model
    }

    private func failure(_ members: String, after start: String = Self.minimum) throws -> HuggingFaceError {
        try #require(throws: HuggingFaceError.self) { try read("{\(start),\(members)}") }
    }

    /// LlamaConfig's defaults.
    @Test func absentKeysHaveTheirDefaults() throws {
        let expected = ModelConfiguration(
            hiddenSize: 8, intermediateSize: 12, hiddenLayerCount: 3, attentionHeadCount: 4, keyValueHeadCount: 4,
            vocabularySize: 40, maxPositionEmbeddings: 2048, rmsNormEpsilon: 1e-6, ropeTheta: 10000,
            initializerRange: 0.02, tieWordEmbeddings: false)
        #expect(try read("{\(Self.minimum)}") == expected)
        #expect(try read("{\(Self.minimum),\"rope_parameters\":null,\"num_key_value_heads\":null}") == expected)
    }

    /// As transformers 4 writes it.
    @Test func earlierFilesAreRead() throws {
        let model = try read(
            """
            {"_name_or_path": "x", "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
             "bos_token_id": 128000, "eos_token_id": [128001, 128009], "head_dim": 2, "hidden_act": "silu",
             \(Self.sizes), "num_attention_heads": 4, "initializer_range": 0.1, "max_position_embeddings": 16,
             "mlp_bias": false, "model_type": "llama", "num_key_value_heads": 2, "pretraining_tp": 1,
             "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 500000.5, "tie_word_embeddings": true,
             "torch_dtype": "bfloat16", "transformers_version": "4.41.2", "use_cache": false}
            """)
        #expect(model == .small)
    }

    /// As transformers 5 writes it.
    @Test func newerFilesAreRead() throws {
        let model = try read(
            """
            {\(Self.minimum), "architectures": ["LlamaForCausalLM"], "dtype": "float32", "initializer_range": 0.1,
             "max_position_embeddings": 16, "num_key_value_heads": 2, "pad_token_id": null, "rms_norm_eps": 1e-06,
             "rope_parameters": {"rope_theta": 500000.5, "rope_type": "default"}, "tie_word_embeddings": true,
             "transformers_version": "5.23.0", "use_cache": true}
            """)
        #expect(model == .small)
        let whole = try read("{\(Self.minimum),\"rope_theta\":500000,\"rope_parameters\":{\"type\":\"default\"}}")
        #expect(whole.ropeTheta == 500_000)
    }

    @Test func whatIsWrittenIsRead() throws {
        var model = ModelConfiguration.small
        for value in [1e-5, 0.1 + 0.2, 1e-300, 1e16, 123_456_789.123_456_79, .leastNonzeroMagnitude] {
            (model.rmsNormEpsilon, model.ropeTheta, model.initializerRange) = (value, value + 1, value * 3)
            let text = HuggingFaceConfiguration(model: model).text(tokens: SpecialTokens(end: 5))
            #expect(try read(text) == model)
        }
    }

    /// Byte for byte, because other programs rely on it.
    @Test func textOfTheFile() {
        let text = HuggingFaceConfiguration(model: .small).text(tokens: SpecialTokens(end: 39))
        #expect(
            text == """
                {
                  "architectures": [
                    "LlamaForCausalLM"
                  ],
                  "attention_bias": false,
                  "attention_dropout": 0.0,
                  "bos_token_id": null,
                  "eos_token_id": 39,
                  "head_dim": 2,
                  "hidden_act": "silu",
                  "hidden_size": 8,
                  "initializer_range": 0.1,
                  "intermediate_size": 12,
                  "max_position_embeddings": 16,
                  "mlp_bias": false,
                  "model_type": "llama",
                  "num_attention_heads": 4,
                  "num_hidden_layers": 3,
                  "num_key_value_heads": 2,
                  "pad_token_id": null,
                  "pretraining_tp": 1,
                  "rms_norm_eps": 1e-06,
                  "rope_parameters": {
                    "rope_theta": 500000.5,
                    "rope_type": "default"
                  },
                  "rope_theta": 500000.5,
                  "tie_word_embeddings": true,
                  "torch_dtype": "float32",
                  "use_cache": true,
                  "vocab_size": 40
                }

                """)
        #expect(
            HuggingFaceConfiguration.generationText(tokens: SpecialTokens(begin: 1, end: 2))
                == "{\n  \"bos_token_id\": 1,\n  \"eos_token_id\": 2\n}\n")
    }

    /// A key that `LlamaConfig` lacks belongs to a model that `LlamaForCausalLM` does not compute. Export must then refuse
    /// the model, or name another architecture.
    @Test func everyKeyBelongsToLlamaConfig() {
        let known: Set = [
            "attention_bias", "attention_dropout", "head_dim", "hidden_act", "hidden_size", "initializer_range",
            "intermediate_size", "max_position_embeddings", "mlp_bias", "num_attention_heads", "num_hidden_layers",
            "num_key_value_heads", "rms_norm_eps", "rope_theta", "tie_word_embeddings", "vocab_size",
        ]
        for key in ModelConfiguration.keys { #expect(known.contains(key.name), "\(key.name)") }
    }

    /// What would change the numbers is refused, and the message names the key.
    @Test(arguments: [
        (#""rope_scaling":{"rope_type":"llama3","factor":8.0}"#, "rope_scaling"),
        (#""rope_scaling":{"type":"linear","factor":2.0}"#, "rope_scaling"),
        (#""rope_parameters":{"rope_type":"yarn","rope_theta":1.0}"#, "rope_type' 'yarn'"),
        (#""rope_parameters":{"rope_type":"default","factor":2.0}"#, "factor"),
        (#""rope_parameters":{"full_attention":{"rope_type":"default"}}"#, "full_attention"),
        (#""hidden_act":"gelu""#, "hidden_act"),
        (#""attention_bias":true"#, "attention_bias"),
        (#""mlp_bias":true"#, "mlp_bias"),
        (#""attention_dropout":0.1"#, "attention_dropout"),
        (#""attention_dropout":"0""#, "attention_dropout"),
        (#""pretraining_tp":0"#, "pretraining_tp"),
        (#""quantization_config":{"bits":4}"#, "quantization_config"),
        (#""head_dim":4"#, "head_dim"),
        (#""architectures":["LlamaForSequenceClassification"]"#, "architectures"),
        (#""architectures":["LlamaForCausalLM","X"]"#, "architectures"),
        (#""sliding_window":4096"#, "sliding_window"),
    ])
    func unsupportedSettingsAreRefused(member: String, name: String) throws {
        let error = try failure(member)
        #expect(error.kind == .unsupported && error.message.contains(name), "\(error)")
    }

    @Test func otherModelsAreRefused() throws {
        for start in ["\"model_type\":\"mistral\"", "\"model_type\":null", "\"use_cache\":true"] {
            let error = try failure("\"num_attention_heads\":4," + Self.sizes, after: start)
            #expect(error.kind == .unsupported && error.message.contains("model_type"))
        }
    }

    @Test func unknownKeysAreNamed() throws {
        for key in ["num_experts", "logit_scale", "auto_map", "Hidden_size", "rope_theta "] {
            let error = try failure("\"\(key)\":1")
            #expect(error.kind == .unknownKey && error.message.contains("'\(key)'"))
        }
    }

    @Test(arguments: [
        #""hidden_size":0"#, #""hidden_size":-8"#, #""hidden_size":8.0"#, #""hidden_size":"8""#, #""hidden_size":null"#,
        #""hidden_size":99999999999999999999"#, #""hidden_size":4194305"#, #""hidden_size":7"#, #""hidden_size":4"#,
        #""num_hidden_layers":8193"#, #""num_key_value_heads":3"#, #""num_key_value_heads":0"#, #""rms_norm_eps":0"#,
        #""rms_norm_eps":-1e-5"#, #""rms_norm_eps":1e999"#, #""rms_norm_eps":"1e-5""#, #""rope_theta":0"#,
        #""rope_theta":10000,"rope_parameters":{"rope_theta":10001}"#, #""rope_parameters":[]"#,
        #""rope_parameters":{"rope_theta":"1"}"#, #""tie_word_embeddings":1"#, #""tie_word_embeddings":"true""#,
        #""vocab_size":[]"#, #""max_position_embeddings":0"#, #""initializer_range":true"#,
    ])
    func impossibleValuesAreRefused(member: String) throws {
        let key = member.dropFirst().prefix { $0 != "\"" }
        let others = [
            #""model_type":"llama""#, #""hidden_size":8"#, #""intermediate_size":12"#, #""num_hidden_layers":3"#,
            #""vocab_size":40"#, #""num_attention_heads":4"#,
        ].filter { !$0.hasPrefix("\"\(key)\"") }
        let error = try failure(member, after: others.joined(separator: ","))
        #expect(error.kind == .badConfiguration && error.message.contains(key), "\(error)")
    }

    @Test func sizesAreRequired() throws {
        let error = try #require(throws: HuggingFaceError.self) { try read("{\"model_type\":\"llama\"}") }
        #expect(error.kind == .badConfiguration && error.message == "hidden_size is missing")
    }

    @Test func jsonIsChecked() throws {
        #expect(try failure(#""hidden_size":8"#).kind == .duplicateKey)
        #expect(try failure(#""rope_parameters":{"rope_theta":1.0,"rope_theta":2.0}"#).kind == .duplicateKey)
        #expect(try failure(#""_name_or_path":"#).kind == .malformedJSON)
        #expect(try failure(#""id2label":"# + String(repeating: "[", count: 100_000)).kind == .tooDeep)
        for text in ["[]", "1", "null", "\"llama\""] {
            #expect(try #require(throws: HuggingFaceError.self) { try read(text) }.kind == .wrongType)
        }
        for text in ["", " ", "{} {}", "\u{FEFF}{}"] {
            #expect(try #require(throws: HuggingFaceError.self) { try read(text) }.kind == .malformedJSON)
        }
    }
}
