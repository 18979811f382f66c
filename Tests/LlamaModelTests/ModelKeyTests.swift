// ModelKeyTests - the one list of a model's keys: it is complete, and each key reads and writes its own property.

import Foundation
import Testing

@testable import LlamaModel

@Suite struct ModelKeyTests {
    /// No value is the initialiser's default, and no two numbers are equal.
    private static let unusual = ModelConfiguration(
        hiddenSize: 12, intermediateSize: 33, hiddenLayerCount: 3, attentionHeadCount: 6, keyValueHeadCount: 2,
        vocabularySize: 300, maxPositionEmbeddings: 512, rmsNormEpsilon: 1e-300, ropeTheta: 5e5 / 3,
        initializerRange: 0.1 + 0.2, tieWordEmbeddings: true, architecture: .qwen3, headSize: 14, attentionBias: true,
        mlpBias: true, ropeScaling: .llama3, ropeFactor: 8.5, ropeLowFrequencyFactor: 1.25,
        ropeHighFrequencyFactor: 4.75, ropeOriginalPositions: 4096, slidingWindow: 777, unrotatedLayerInterval: 5)

    /// The stored properties of a model with their values as text.
    private func properties(_ model: ModelConfiguration) -> [String: String] {
        Dictionary(uniqueKeysWithValues: Mirror(reflecting: model).children.map { ($0.label ?? "", "\($0.value)") })
    }

    private func encoded(_ model: ModelConfiguration) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(model))
        return try #require(object as? [String: Any])
    }

    private func decoded(_ record: [String: Any]) throws -> ModelConfiguration {
        let bytes = try JSONSerialization.data(withJSONObject: record)
        return try JSONDecoder().decode(ModelConfiguration.self, from: bytes)
    }

    /// Changing each key of the list changes one property, and all keys together change all properties.
    @Test func everyStoredPropertyHasOneKey() {
        let before = properties(Self.unusual)
        var changed: [String] = []
        for key in ModelConfiguration.keys {
            var model = Self.unusual
            switch key.kind {
            case .size(let property, _): model[keyPath: property.path] += 1
            case .number(let property): model[keyPath: property.path] *= 2
            case .flag(let property): model[keyPath: property.path].toggle()
            case .word(let property):
                let word = property.words.first { $0 != property.get(model) }
                #expect(property.set(&model, word ?? ""), "\(key.name)")
                #expect(!property.set(&model, "no such word"), "\(key.name)")
            }
            let differing = properties(model).filter { before[$0.key] != $0.value }
            #expect(differing.count == 1, "\(key.name)")
            #expect(differing.first?.value == key.text(in: model), "\(key.name)")
            changed += differing.keys
        }
        #expect(changed.sorted() == before.keys.sorted())
    }

    @Test func recordsReadBack() throws {
        for model in [Self.unusual, .unset] + TransformerTests.models {
            let bytes = try JSONEncoder().encode(model)
            #expect(try JSONDecoder().decode(ModelConfiguration.self, from: bytes) == model)
        }
        #expect(try encoded(Self.unusual).keys.sorted() == ModelConfiguration.keys.map(\.name).sorted())
    }

    /// Programs from before the other keys read the record of a plain LLaMA.
    @Test func recordsLackKeysThatALlamaDoesNotNeed() throws {
        for model in [ModelConfiguration.grouped, .tied] {
            #expect(try encoded(model).keys.sorted() == Self.first.sorted())
        }
        let added = try encoded(.qwen3).keys.filter { !Self.first.contains($0) }
        #expect(added.sorted() == ["architecture", "attention_bias", "head_dim"])
    }

    @Test func laterKeysAreChecked() throws {
        var record = try encoded(.qwen3)
        for (key, value) in [("architecture", "gemma"), ("head_dim", "18"), ("attention_bias", 1.5)] as [(String, Any)]
        {
            let before = record[key]
            record[key] = value
            #expect(throws: DecodingError.self) { try decoded(record) }
            record[key] = before
        }
        #expect(try decoded(record) == .qwen3)
        record["head_dim"] = nil
        #expect(try decoded(record).headSize == 6)
    }

    /// The keys of the first version: no checkpoint lacks one.
    private static let first = [
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
        "vocab_size", "max_position_embeddings", "rms_norm_eps", "rope_theta", "initializer_range",
        "tie_word_embeddings",
    ]

    @Test(arguments: first)
    func absentAndMistypedKeysAreErrors(name: String) throws {
        var record = try encoded(Self.unusual)
        record[name] = nil
        let error = try #require(throws: DecodingError.self) { try decoded(record) }
        guard case .keyNotFound(let key, _) = error else {
            Issue.record("\(error)")
            return
        }
        #expect("\(key)" == "CodingKeys(stringValue: \"\(name)\", intValue: nil)")
        for value in ["1", [1], NSNull()] as [Any] {
            record[name] = value
            #expect(throws: DecodingError.self) { try decoded(record) }
        }
    }

    @Test func unknownKeysAreIgnored() throws {
        var record = try encoded(Self.unusual)
        record["Hidden_size"] = 1
        record["no_such_key"] = true
        #expect(try decoded(record).hiddenSize == 12)
    }

    /// A record with one key, which checkpoints before that key lack.
    private struct NewKey: Decodable {
        var model = ModelConfiguration.unset

        init(from decoder: any Decoder) throws {
            let record = try decoder.container(keyedBy: ModelKey.CodingKeys.self)
            let key = ModelKey.number("rope_theta", \.ropeTheta, huggingFace: 1, earlier: 7, "")
            try key.read(from: record, into: &model)
        }
    }

    @Test func earlierCheckpointsHaveAValue() throws {
        func theta(_ text: String) throws -> Double {
            try JSONDecoder().decode(NewKey.self, from: Data(text.utf8)).model.ropeTheta
        }
        #expect(try theta("{}") == 7)
        #expect(try theta("{\"rope_theta\": 9}") == 9)
        #expect(throws: DecodingError.self) { try theta("{\"rope_theta\": null}") }
        #expect(throws: DecodingError.self) { try theta("{\"rope_theta\": \"9\"}") }
    }

    @Test func keyValueHeadsDefaultToQueryHeads() {
        var model = Self.unusual
        model.resolveDefaults()
        #expect(model == Self.unusual)
        model.keyValueHeadCount = 0
        model.resolveDefaults()
        #expect(model.keyValueHeadCount == 6)
    }

    @Test func headsShareTheHiddenFeaturesByDefault() {
        var model = ModelConfiguration.grouped
        #expect(model.headSize == 6)
        model.headSize = 0
        model.resolveDefaults()
        #expect(model == .grouped)
        var unset = ModelConfiguration.unset
        unset.resolveDefaults()
        #expect(unset.headSize == 0)
    }

    /// Each contradiction names the key to change; the models of the tests have none.
    @Test func keysThatContradictOneAnotherAreNamed() {
        func keys(_ model: ModelConfiguration, _ change: (inout ModelConfiguration) -> Void) -> [String] {
            var model = model
            change(&model)
            return model.contradictions.map(\.key)
        }
        for model in TransformerTests.models { #expect(model.contradictions.isEmpty) }
        #expect(keys(.grouped) { $0.headSize = 7 } == ["head_dim"])
        #expect(keys(.grouped) { $0.headSize = 1 << 20 } == ["head_dim"])
        #expect(keys(.mistral) { ($0.attentionBias, $0.mlpBias) = (true, true) } == ["attention_bias", "mlp_bias"])
        #expect(keys(.qwen2) { $0.attentionBias = true } == ["attention_bias"])
        #expect(keys(.qwen3) { $0.mlpBias = true } == ["mlp_bias"])
        #expect(keys(.qwen3) { $0.slidingWindow = 8 } == ["sliding_window"])
        #expect(keys(.grouped) { $0.unrotatedLayerInterval = 4 } == ["no_rope_layer_interval"])
        #expect(keys(.grouped) { $0.ropeFactor = 2 } == ["rope_factor"])
        #expect(keys(.biased) { $0.ropeLowFrequencyFactor = 4 } == ["rope_high_freq_factor"])
    }

    @Test func aWindowBoundsSequences() {
        #expect(ModelConfiguration.mistral.longestSequence == 64)
        #expect(ModelConfiguration.mistral.longestSequenceKey == "sliding_window")
        var wide = ModelConfiguration.mistral
        wide.slidingWindow = 4096
        #expect(wide.longestSequence == 128 && wide.longestSequenceKey == "max_position_embeddings")
        #expect(ModelConfiguration.grouped.longestSequence == 64)
    }

    @Test func everyIntervalthLayerIsUnrotated() {
        let rotated = (0..<7).map { ModelConfiguration.smollm3.isRotated(layer: $0) }
        #expect(rotated == [true, false, true, false, true, false, true])
        #expect((0..<7).allSatisfy { ModelConfiguration.grouped.isRotated(layer: $0) })
    }
}
