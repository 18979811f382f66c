// HuggingFaceFuzzTests - mutated safetensors headers and config.json: always an error or a correct read.

import CheckpointFixtures
import FoundationEssentials
import Foundation
import LlamaModel
import TestSupport
import Testing

@testable import Checkpointing
@testable import HuggingFace

/// Bytes that a whole campaign may allocate beyond what the process has at its start. The inputs have some kilobytes, so
/// one allocation by a claimed size instead of a real one is enough to exceed it.
private let allowance = 256 << 20

/// Reports and ends the process when `condition` does not hold: in an exit test that is the failure.
private func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if condition { return }
    Issue.record(Comment(rawValue: message()))
    exit(1)
}

private func report(_ campaign: FuzzCampaign) {
    require(campaign.share >= 0.3, "too few inputs pass the outer header: \(campaign.summary)")
    FileHandle.standardError.write(Data((campaign.summary + "\n").utf8))
}

@Suite struct HuggingFaceFuzzTests {
    @Test func safetensorsHeader() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            limitAddressSpace(toCurrentAnd: allowance)
            var campaign = FuzzCampaign("safetensors header", budget: 10_000)
            for _ in 0..<campaign.inputs {
                let input = HeaderMutation.next(&campaign.random)
                campaign.record(HeaderMutation.check(input))
            }
            report(campaign)
        }
        print(String(decoding: result?.standardErrorContent ?? [], as: UTF8.self))
    }

    @Test func configuration() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            limitAddressSpace(toCurrentAnd: allowance)
            var campaign = FuzzCampaign("config.json", budget: 10_000)
            for _ in 0..<campaign.inputs {
                let input = ConfigurationMutation.next(&campaign.random)
                campaign.record(ConfigurationMutation.check(input))
            }
            report(campaign)
        }
        print(String(decoding: result?.standardErrorContent ?? [], as: UTF8.self))
    }
}

/// Safetensors files.
private enum HeaderMutation {
    private static let types = SafetensorsType.allCases

    /// A well-formed file with up to three fields changed, and sometimes bytes damaged.
    static func next(_ random: inout SeededGenerator) -> [UInt8] {
        var offset = 0
        var entries: [(name: String, fields: [(String, String)])] = []
        for number in 0..<random.index(below: 6) {
            let type = random.pick(types)
            let shape = (0..<random.index(below: 4)).map { _ in random.index(below: 5) }
            let size = shape.reduce(type.size, *)
            entries.append(
                (
                    "t\(number)",
                    [
                        ("dtype", "\"\(type.rawValue)\""), ("shape", "\(shape)"),
                        ("data_offsets", "[\(offset),\(offset + size)]"),
                    ]
                ))
            offset += size
        }
        for _ in 0..<random.index(below: 4) where !entries.isEmpty { change(&entries, &random) }
        var members = entries.map { entry in
            "\"\(entry.name)\":{" + entry.fields.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
        }
        if random.once(in: 2) {
            let metadata = random.once(in: 8) ? value(&random) : "{\"format\":\"pt\"}"
            members.insert("\"__metadata__\":\(metadata)", at: random.index(below: members.count + 1))
        }
        if random.once(in: 10), let repeated = members.first { members.append(repeated) }
        let text = "{" + members.joined(separator: random.once(in: 4) ? " , " : ",") + "}"
        let data = random.once(in: 8) ? Int(random.next() % 64) : offset
        let length = random.once(in: 12) ? random.hostileInteger() : nil
        var file = safetensors(text, data: data, length: length)
        if random.once(in: 4) { random.damage(&file) }
        return file
    }

    private static func change(
        _ entries: inout [(name: String, fields: [(String, String)])], _ random: inout SeededGenerator
    ) {
        let entry = random.index(below: entries.count)
        guard !entries[entry].fields.isEmpty else { return }
        let field = random.index(below: entries[entry].fields.count)
        switch random.index(below: 8) {
        case 0: entries[entry].name = random.pick(["t0", "t1", "", "\\u0074\\u0030", "__metadata__", "a/../b"])
        case 1: entries[entry].fields.remove(at: field)
        case 2: entries[entry].fields.append(entries[entry].fields[field])
        case 3: entries[entry].fields[field].0 = random.pick(["dtype", "shape", "data_offsets", "x"])
        case 4: entries[entry].fields[field].1 = value(&random)
        case 5: entries[entry].fields[field].1 = "[\(random.hostileInteger()),\(random.hostileInteger())]"
        case 6: entries[entry].fields[field].1 = "\"\(random.pick(types).rawValue)\""
        default: entries.swapAt(entry, random.index(below: entries.count))
        }
    }

    /// Any JSON, some of it deep.
    private static func value(_ random: inout SeededGenerator) -> String {
        let depth = random.index(below: 3000)
        return random.pick([
            "null", "true", "-1", "1e9", "0.5", "\(random.hostileInteger())", "\"\"", "{}", "[]", "[[]]", "[null]",
            "{\"a\":\"b\"}", "[-1,2]", "[1.0]", "[18446744073709551616]",
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth),
            String(repeating: "{\"a\":", count: depth),
        ])
    }

    static func check(_ file: [UInt8]) -> FuzzCampaign.Outcome {
        do {
            let header = try parse(file)
            let start = 8 + Int(file.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
            verify(header, file, start: start)
            return .read
        } catch {
            require(error.message.utf8.count < 2000, "a message of \(error.message.utf8.count) bytes")
            switch error.kind {
            case .truncated, .headerTooLong, .malformedJSON: return .refusedOuter
            default: return .refusedInner
            }
        }
    }

    /// Compares with Foundation's reading, which has nothing in common with ours, and the arrangement with its definition: each byte of the data belongs to
    /// exactly one tensor.
    private static func verify(_ header: SafetensorsHeader, _ file: [UInt8], start: Int) {
        let text = Data(file[8..<start])
        let dump = "read wrongly: \(String(decoding: text, as: UTF8.self))"
        guard let object = try? JSONSerialization.jsonObject(with: text) as? [String: Any],
            object["__metadata__"] == nil || object["__metadata__"] is [String: String]
        else { return require(false, dump) }
        require(header.tensors.map(\.name).sorted() == object.keys.filter { $0 != "__metadata__" }.sorted(), dump)
        var owners = [Int](repeating: 0, count: file.count - start)
        for tensor in header.tensors {
            let entry = object[tensor.name] as? [String: Any] ?? [:]
            require(entry["dtype"] as? String == tensor.type.rawValue, dump)
            require(entry["shape"] as? [Int] == tensor.shape, dump)
            let offsets = [tensor.bytes.lowerBound - start, tensor.bytes.upperBound - start]
            require(entry["data_offsets"] as? [Int] == offsets, dump)
            let count = tensor.shape.contains(0) ? 0 : tensor.shape.reduce(tensor.type.size, *)
            require(count == tensor.bytes.count, dump)
            for byte in tensor.bytes { owners[byte - start] += 1 }
        }
        require(owners.allSatisfy { $0 == 1 }, dump)
    }
}

/// Texts of `config.json`.
private enum ConfigurationMutation {
    /// A good configuration with up to three members changed, and sometimes bytes damaged.
    static func next(_ random: inout SeededGenerator) -> [UInt8] {
        let heads = 1 << random.index(below: 4)
        var members: [(String, String)] = [
            ("architectures", "[\"LlamaForCausalLM\"]"), ("attention_bias", "false"), ("attention_dropout", "0.0"),
            ("bos_token_id", "1"), ("hidden_act", "\"silu\""),
            ("hidden_size", "\(2 * heads * (1 + random.index(below: 9)))"),
            ("initializer_range", "\(random.unit() + 1e-9)"), ("intermediate_size", "\(1 + random.index(below: 99))"),
            ("max_position_embeddings", "\(1 + random.index(below: 4096))"), ("mlp_bias", "false"),
            ("model_type", "\"llama\""), ("num_attention_heads", "\(heads)"),
            ("num_hidden_layers", "\(1 + random.index(below: 40))"),
            ("num_key_value_heads", "\(1 << random.index(below: 4))"), ("pretraining_tp", "1"),
            ("rms_norm_eps", "\(random.pick([1e-5, 1e-6, random.unit() + 1e-12]))"), ("rope_scaling", "null"),
            ("tie_word_embeddings", random.pick(["true", "false"])), ("torch_dtype", "\"bfloat16\""),
            ("vocab_size", "\(1 + random.index(below: 50_000))"),
        ]
        let base = random.pick([1e4, 5e5, 1 + random.unit() * 1e6])
        if random.once(in: 2) { members.append(("rope_theta", "\(base)")) }
        if random.once(in: 2) {
            members.append(("rope_parameters", "{\"rope_theta\": \(base), \"rope_type\": \"default\"}"))
        }
        for _ in 0..<random.index(below: 4) where !members.isEmpty {
            let place = random.index(below: members.count)
            switch random.index(below: 6) {
            case 0: members.remove(at: place)
            case 1: members.append(members[place])
            case 2: members[place].0 = random.pick(["x", "rope_theta", "head_dim", "quantization_config", "dtype", ""])
            case 3: members[place].1 = members[random.index(below: members.count)].1
            case 4: members.swapAt(place, random.index(below: members.count))
            default: members[place].1 = value(&random)
            }
        }
        let body = members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: random.once(in: 3) ? ",\n  " : ",")
        var text = Array("{\(body)}".utf8)
        if random.once(in: 5) { random.damage(&text) }
        return text
    }

    private static func value(_ random: inout SeededGenerator) -> String {
        let depth = random.index(below: 3000)
        return random.pick([
            "null", "true", "false", "0", "-1", "1", "2", "1.5", "1e400", "-0.0", "5e-324", "\"silu\"", "\"yarn\"",
            "{}",
            "[]", "\(random.hostileInteger())", "\(random.unit())", "{\"rope_type\":\"linear\",\"factor\":2.0}",
            "{\"rope_type\":\"default\"}", "{\"rope_theta\":10.5}",
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth),
            String(repeating: "{\"a\":", count: depth),
        ])
    }

    /// What Foundation reads in the same text.
    private struct Reference: Decodable {
        struct Rope: Decodable {
            var rope_theta: Double?
            var rope_type: String?
            var type: String?
            var factor: Double?
            /// The factor that frequencies are divided by; nil: another scaling.
            var linearFactor: Double? {
                switch rope_type ?? type ?? "default" {
                case "default": 1
                case "linear": factor
                default: nil
                }
            }
        }
        var hidden_size: Int
        var intermediate_size: Int
        var num_hidden_layers: Int
        var num_attention_heads: Int
        var num_key_value_heads: Int?
        var vocab_size: Int
        var max_position_embeddings: Int?
        var rms_norm_eps: Double?
        var rope_theta: Double?
        var rope_parameters: Rope?
        var rope_scaling: Rope?
        var head_dim: Int?
        var initializer_range: Double?
        var tie_word_embeddings: Bool?
        var model_type: String
        var hidden_act: String?
        var attention_bias: Bool?
        var mlp_bias: Bool?
    }

    static func check(_ text: [UInt8]) -> FuzzCampaign.Outcome {
        let model: ModelConfiguration
        do {
            model = try HuggingFaceConfiguration(text, file: "config.json").model
        } catch {
            require(error.message.utf8.count < 2000, "a message of \(error.message.utf8.count) bytes")
            return error.kind == .malformedJSON || error.kind == .tooDeep ? .refusedOuter : .refusedInner
        }
        let dump = "read wrongly: \(String(decoding: text, as: UTF8.self))"
        guard let reference = try? JSONDecoder().decode(Reference.self, from: Data(text)) else {
            require(false, dump)
            return .read
        }
        // No mutation has the numbers of llama3, so that what is read is linear or not scaled.
        let factors = [reference.rope_scaling, reference.rope_parameters].compactMap { $0 }.map(\.linearFactor)
        let factor = factors.first.flatMap { $0 } ?? 1
        require(factors.allSatisfy { $0 == factor } && reference.num_attention_heads > 0, dump)
        require(
            model
                == ModelConfiguration(
                    hiddenSize: reference.hidden_size, intermediateSize: reference.intermediate_size,
                    hiddenLayerCount: reference.num_hidden_layers, attentionHeadCount: reference.num_attention_heads,
                    keyValueHeadCount: reference.num_key_value_heads ?? reference.num_attention_heads,
                    vocabularySize: reference.vocab_size,
                    maxPositionEmbeddings: reference.max_position_embeddings ?? 2048,
                    rmsNormEpsilon: reference.rms_norm_eps ?? 1e-6,
                    ropeTheta: reference.rope_parameters?.rope_theta ?? reference.rope_theta ?? 10000,
                    initializerRange: reference.initializer_range ?? 0.02,
                    tieWordEmbeddings: reference.tie_word_embeddings ?? false,
                    headSize: reference.head_dim ?? reference.hidden_size / reference.num_attention_heads,
                    attentionBias: reference.attention_bias ?? false, mlpBias: reference.mlp_bias ?? false,
                    ropeScaling: factor == 1 ? .none : .linear, ropeFactor: factor), dump)
        require(
            reference.model_type == "llama" && (reference.hidden_act ?? "silu") == "silu", dump)
        // What passes is a model that a checkpoint can hold, and what is written of it reads as the same.
        require((try? ModelRecord.elementCount(of: model, file: "")) != nil, dump)
        let written = HuggingFaceConfiguration(model: model).text(tokens: SpecialTokens())
        require((try? HuggingFaceConfiguration(Array(written.utf8), file: ""))?.model == model, dump)
        return .read
    }
}
