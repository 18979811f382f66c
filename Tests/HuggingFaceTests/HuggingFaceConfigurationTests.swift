// HuggingFaceConfigurationTests - config.json: what is read, what is written, and what must not be passed over.

import JSONReading
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

    /// A model that differs in one key gets another file.
    @Test(arguments: Self.models)
    func everyKeyIsWritten(model: ModelConfiguration) throws {
        let text = HuggingFaceConfiguration(model: model).text(tokens: SpecialTokens())
        for key in ModelConfiguration.keys {
            var changed = model
            switch key.kind {
            case .size(let property, _): changed[keyPath: property.path] += 2
            case .number(let property): changed[keyPath: property.path] *= 2
            case .flag(let property): changed[keyPath: property.path].toggle()
            case .word(let property):
                _ = property.set(&changed, property.words.first { $0 != property.get(model) } ?? "")
            }
            // What contradicts the other keys is not a model, and numbers of llama3 belong to it alone.
            let isUnread = model.ropeScaling != .llama3 && key.name.hasPrefix("rope_") && key.name.hasSuffix("_factor")
            if !changed.contradictions.isEmpty || isUnread && model.ropeScaling == .none { continue }
            if model.ropeScaling != .llama3, key.name.contains("freq_factor") || key.name.contains("original") {
                continue
            }
            #expect(HuggingFaceConfiguration(model: changed).text(tokens: SpecialTokens()) != text, "\(key.name)")
        }
    }

    /// A model of each architecture with its own keys.
    static let models: [ModelConfiguration] = {
        func model(_ change: (inout ModelConfiguration) -> Void) -> ModelConfiguration {
            var model = ModelConfiguration.small
            change(&model)
            return model
        }
        return [
            .small,
            model {
                ($0.headSize, $0.attentionBias, $0.mlpBias) = (6, true, true)
                ($0.ropeScaling, $0.ropeFactor, $0.ropeOriginalPositions) = (.llama3, 8, 8)
                ($0.ropeLowFrequencyFactor, $0.ropeHighFrequencyFactor) = (1.5, 4.5)
            },
            model { ($0.architecture, $0.headSize, $0.slidingWindow) = (.mistral, 6, 4096) },
            model { ($0.architecture, $0.headSize) = (.mistral, 10) },
            model { ($0.architecture, $0.ropeScaling, $0.ropeFactor) = (.qwen2, .linear, 2.5) },
            model { ($0.architecture, $0.headSize, $0.attentionBias) = (.qwen3, 128, true) },
            model { ($0.architecture, $0.mlpBias, $0.unrotatedLayerInterval) = (.smollm3, true, 2) },
            model { $0.architecture = .smollm3 },
        ]
    }()

    @Test(arguments: models)
    func everyArchitectureReadsBack(model: ModelConfiguration) throws {
        let text = HuggingFaceConfiguration(model: model).text(tokens: SpecialTokens())
        #expect(try read(text) == model)
        let tree = try JSONTree(Array(text.utf8), file: "config.json")
        #expect(tree["model_type"] == .string(model.architecture.rawValue))
        #expect(tree["rope_scaling"] == nil || model.ropeScaling != .none)
        // transformers 4 reads rope_theta and rope_scaling alone.
        guard case .object(let members) = tree else { return }
        let earlier = JSONTree.object(members.filter { $0.key != "rope_parameters" })
        #expect(try read(earlier.text) == model)
    }

    @Test func namesOfClasses() throws {
        let classes = try Self.models.map { model in
            let text = HuggingFaceConfiguration(model: model).text(tokens: SpecialTokens())
            return try JSONTree(Array(text.utf8), file: "")["architectures"]
        }
        let names = ["Llama", "Llama", "Mistral", "Mistral", "Qwen2", "Qwen3", "SmolLM3", "SmolLM3"]
        #expect(classes == names.map { .array([.string($0 + "ForCausalLM")]) })
    }

    /// Defaults of MistralConfig, Qwen2Config, Qwen3Config and SmolLM3Config for absent keys.
    @Test func absentKeysHaveTheDefaultsOfTheArchitecture() throws {
        func model(_ type: String, heads: Int) throws -> ModelConfiguration {
            let sizes = Self.sizes.replacing("\"hidden_size\":8", with: "\"hidden_size\":64")
            return try read("{\"model_type\":\"\(type)\",\(sizes),\"num_attention_heads\":\(heads)}")
        }
        let mistral = try model("mistral", heads: 16)
        #expect(mistral.keyValueHeadCount == 8 && mistral.maxPositionEmbeddings == 131_072)
        #expect(mistral.slidingWindow == 4096 && mistral.headSize == 4 && mistral.ropeTheta == 10000)
        let qwen2 = try model("qwen2", heads: 32)
        #expect(qwen2.keyValueHeadCount == 32 && qwen2.maxPositionEmbeddings == 32768 && qwen2.headSize == 2)
        let qwen3 = try model("qwen3", heads: 64)
        #expect(qwen3.keyValueHeadCount == 32 && qwen3.headSize == 128 && !qwen3.attentionBias)
        let smollm3 = try model("smollm3", heads: 4)
        #expect(smollm3.keyValueHeadCount == 4 && smollm3.unrotatedLayerInterval == 4 && smollm3.tieWordEmbeddings)
        #expect(smollm3.ropeTheta == 2_000_000 && smollm3.maxPositionEmbeddings == 32768)
    }

    @Test func scaledRotaryEmbeddingsAreReadInBothForms() throws {
        let llama3 =
            #""rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"#
            + #""original_max_position_embeddings":8192"#
        var expected = try read("{\(Self.minimum),\"rope_theta\":500000.0}")
        (expected.ropeScaling, expected.ropeFactor) = (.llama3, 8)
        for members in [
            "\"rope_theta\":500000.0,\"rope_scaling\":{\(llama3)}",
            "\"rope_parameters\":{\(llama3),\"rope_theta\":500000.0}",
            "\"rope_theta\":500000.0,\"rope_scaling\":{\(llama3)},\"rope_parameters\":{\(llama3),\"rope_theta\":5e5}",
        ] {
            #expect(try read("{\(Self.minimum),\(members)}") == expected)
        }
        (expected.ropeScaling, expected.ropeFactor) = (.linear, 2.5)
        let linear = #""rope_theta":5e5,"rope_scaling":{"type":"linear","factor":2.5}"#
        #expect(try read("{\(Self.minimum),\(linear)}") == expected)
        let differing = #""rope_scaling":{"type":"linear","factor":2.0},"rope_parameters":{"rope_type":"default"}"#
        let error = try failure(differing)
        #expect(error.kind == .badConfiguration && error.message.contains("rope_scaling and rope_parameters differ"))
    }

    @Test func layersWithoutRotaryEmbeddingsHaveAnInterval() throws {
        let start = #""model_type":"smollm3",\#(Self.sizes),"num_attention_heads":4"#
        func interval(_ members: String) throws -> Int { try read("{\(start),\(members)}").unrotatedLayerInterval }
        #expect(try interval(#""no_rope_layers":[1,1,0],"no_rope_layer_interval":7"#) == 3)
        #expect(try interval(#""no_rope_layers":[1,0,1]"#) == 2)
        #expect(try interval(#""no_rope_layers":[1,1,1]"#) == 0)
        #expect(try interval(#""no_rope_layer_interval":2"#) == 2)
        for list in ["[0,1,1]", "[1,0,0]", "[1,2,1]"] {
            let error = try failure("\"no_rope_layers\":\(list)", after: start)
            #expect(error.kind == .unsupported && error.message.contains("no_rope_layers is ["), "\(error)")
        }
        #expect(try failure(#""no_rope_layers":[1,0]"#, after: start).kind == .badConfiguration)
    }

    /// What would change the numbers is refused, and the message names the key.
    @Test(arguments: [
        (#""rope_scaling":{"rope_type":"llama3","factor":8.0}"#, "rope_scaling"),
        (#""rope_scaling":{"type":"linear","factor":-2.0}"#, "rope_scaling"),
        (#""rope_parameters":{"rope_type":"yarn","rope_theta":1.0}"#, "yarn"),
        (#""rope_parameters":{"rope_type":"default","factor":2.0}"#, "factor"),
        (#""rope_parameters":{"full_attention":{"rope_type":"default"}}"#, "full_attention"),
        (#""hidden_act":"gelu""#, "hidden_act"),
        (#""attention_dropout":0.1"#, "attention_dropout"),
        (#""attention_dropout":"0""#, "attention_dropout"),
        (#""pretraining_tp":0"#, "pretraining_tp"),
        (#""quantization_config":{"bits":4}"#, "quantization_config"),
        (#""architectures":["LlamaForSequenceClassification"]"#, "architectures"),
        (#""architectures":["LlamaForCausalLM","X"]"#, "architectures"),
        (#""sliding_window":4096"#, "sliding_window"),
    ])
    func unsupportedSettingsAreRefused(member: String, name: String) throws {
        let error = try failure(member)
        #expect(error.kind == .unsupported && error.message.contains(name), "\(error)")
    }

    @Test func otherModelsAreRefused() throws {
        for start in ["\"model_type\":\"gemma\"", "\"model_type\":[]", "\"model_type\":null", "\"use_cache\":true"] {
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
        #""head_dim":3"#, #""head_dim":0"#, #""attention_bias":"no""#, #""mlp_bias":1"#, #""vocab_size":[]"#,
        #""max_position_embeddings":0"#, #""initializer_range":true"#,
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
        let missing = ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"]
        #expect(error.kind == .badConfiguration)
        #expect(error.message.split(separator: "\n").dropFirst() == missing.map { "  \($0) is missing" }[...])
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
