// ModelKeyTests - the one list of a model's keys: it is complete, and each key reads and writes its own property.

import Foundation
import Testing

@testable import LlamaModel

@Suite struct ModelKeyTests {
    /// No value is the initialiser's default, and no two numbers are equal.
    private static let unusual = ModelConfiguration(
        hiddenSize: 12, intermediateSize: 33, hiddenLayerCount: 3, attentionHeadCount: 6, keyValueHeadCount: 2,
        vocabularySize: 300, maxPositionEmbeddings: 512, rmsNormEpsilon: 1e-300, ropeTheta: 5e5 / 3,
        initializerRange: 0.1 + 0.2, tieWordEmbeddings: true)

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
            }
            let differing = properties(model).filter { before[$0.key] != $0.value }
            #expect(differing.count == 1, "\(key.name)")
            #expect(differing.first?.value == key.text(in: model), "\(key.name)")
            changed += differing.keys
        }
        #expect(changed.sorted() == before.keys.sorted())
    }

    @Test func recordsReadBack() throws {
        for model in [Self.unusual, .grouped, .tied, .unset] {
            let bytes = try JSONEncoder().encode(model)
            #expect(try JSONDecoder().decode(ModelConfiguration.self, from: bytes) == model)
            #expect(try encoded(model).keys.sorted() == ModelConfiguration.keys.map(\.name).sorted())
        }
    }

    /// The keys of the first version: no checkpoint lacks one.
    @Test(arguments: [
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
        "vocab_size", "max_position_embeddings", "rms_norm_eps", "rope_theta", "initializer_range",
        "tie_word_embeddings",
    ])
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
}
