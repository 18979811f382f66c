// ModelDirectory - Hugging Face directories made for the tests, as transformers lays them out, whole or damaged.

import CheckpointFixtures
import Checkpointing
import LlamaModel
import Primitives
import Tensors

@testable import HuggingFace

/// A tensor as a directory's files hold it.
struct StoredTensor {
    var name: String
    var type = "F32"
    var shape: [Int]
    /// Little-endian.
    var bytes: [UInt8]

    init(_ name: String, shape: [Int], values: [Float]) {
        (self.name, self.shape) = (name, shape)
        bytes = littleEndianBytes(values)
    }

    init(_ name: String, type: String, shape: [Int], halves: [UInt16]) {
        (self.name, self.type, self.shape) = (name, type, shape)
        bytes = littleEndianBytes(halves)
    }
}

/// The bytes of numbers as this machine, a little-endian one, holds them.
private func littleEndianBytes<Number: BitwiseCopyable>(_ numbers: [Number]) -> [UInt8] {
    unsafe numbers.withUnsafeBytes { unsafe Array($0) }
}

/// A whole safetensors file, written here by other code than the program's.
func file(of tensors: [StoredTensor]) -> [UInt8] {
    var offset = 0
    let entries = tensors.map { tensor in
        defer { offset += tensor.bytes.count }
        return "\"\(tensor.name)\":{\"dtype\":\"\(tensor.type)\",\"shape\":\(tensor.shape),"
            + "\"data_offsets\":[\(offset),\(offset + tensor.bytes.count)]}"
    }
    return safetensors("{\"__metadata__\":{\"format\":\"pt\"}," + entries.joined(separator: ",") + "}", data: 0)
        + tensors.flatMap(\.bytes)
}

/// A directory that transformers could have written.
struct ModelDirectory {
    /// The one of the issue: grouped heads, tied, a large rotary base.
    static let grouped = ModelConfiguration(
        hiddenSize: 256, intermediateSize: 64, hiddenLayerCount: 2, attentionHeadCount: 8, keyValueHeadCount: 2,
        vocabularySize: 300, maxPositionEmbeddings: 128, rmsNormEpsilon: 1e-5, ropeTheta: 500_000,
        initializerRange: 0.02, tieWordEmbeddings: true)

    var model: ModelConfiguration
    var configuration: String
    var tensors: [StoredTensor]
    /// Name of each file and the tensors in it; nil: one file.
    var shards: [(name: String, tensors: [String])]?
    var extra: [(name: String, bytes: [UInt8])] = []

    init(_ model: ModelConfiguration, seed: UInt64 = 1) {
        self.model = model
        // As transformers 5 writes it, without the ids of tokens, which are the tests' to add.
        configuration = """
            {"architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
             "dtype": "float32", "head_dim": \(model.headSize), "hidden_act": "silu",
             "hidden_size": \(model.hiddenSize), "initializer_range": \(model.initializerRange),
             "intermediate_size": \(model.intermediateSize), "max_position_embeddings": \(model.maxPositionEmbeddings),
             "mlp_bias": false, "model_type": "llama", "num_attention_heads": \(model.attentionHeadCount),
             "num_hidden_layers": \(model.hiddenLayerCount), "num_key_value_heads": \(model.keyValueHeadCount),
             "pretraining_tp": 1, "rms_norm_eps": \(model.rmsNormEpsilon),
             "rope_parameters": {"rope_theta": \(model.ropeTheta), "rope_type": "default"},
             "tie_word_embeddings": \(model.tieWordEmbeddings), "transformers_version": "5.0.0", "use_cache": true,
             "vocab_size": \(model.vocabularySize)}
            """
        // Any bits but infinities and NaNs.
        var random = SplitMix64(seed: seed)
        tensors = model.tensorTable.entries.map { entry in
            StoredTensor(
                entry.name, shape: entry.shape,
                values: (0..<entry.count).map { _ in
                    let bits = UInt32(truncatingIfNeeded: random.next())
                    return Float(bitPattern: bits & 0x7F80_0000 == 0x7F80_0000 ? bits & 0xBFFF_FFFF : bits)
                })
        }
    }

    subscript(name: String) -> StoredTensor? {
        get { tensors.first { $0.name == name } }
        set {
            tensors.removeAll { $0.name == name }
            if let newValue { tensors.append(newValue) }
        }
    }

    /// Adds members to `config.json`.
    mutating func add(_ members: String) { configuration = "{\(members), " + configuration.dropFirst() }

    /// Writes the files into a new directory and returns its path.
    func write(_ files: TemporaryFiles, _ name: String = "hf") throws -> String {
        let path = files.path(name)
        try Files.makeDirectories(path)
        try overwrite(path + "/config.json", with: Array(configuration.utf8))
        if let shards {
            for shard in shards {
                try overwrite(path + "/" + shard.name, with: file(of: shard.tensors.compactMap { self[$0] }))
            }
            let map = shards.flatMap { shard in shard.tensors.map { "\"\($0)\":\"\(shard.name)\"" } }
            let index = "{\"metadata\":{\"total_size\":1},\"weight_map\":{\(map.joined(separator: ","))}}"
            try overwrite(path + "/model.safetensors.index.json", with: Array(index.utf8))
        } else {
            try overwrite(path + "/model.safetensors", with: file(of: tensors))
        }
        for file in extra { try overwrite(path + "/" + file.name, with: file.bytes) }
        return path
    }
}

/// The tensors of all safetensors files in a directory, by name.
func storedTensors(_ directory: String) throws -> [String: StoredTensor] {
    var found: [String: StoredTensor] = [:]
    for name in try names(in: directory) where name.hasSuffix(".safetensors") {
        let content = try bytes(of: directory + "/" + name)
        for tensor in try parse(content).tensors {
            var stored = StoredTensor(tensor.name, shape: tensor.shape, values: [])
            stored.type = tensor.type.rawValue
            stored.bytes = Array(content[tensor.bytes])
            found[tensor.name] = stored
        }
    }
    return found
}

extension HuggingFaceImport {
    /// Imports `directory` and opens what was written.
    static func checkpoint(_ directory: String, at output: String) throws -> CheckpointReader {
        try load(try HuggingFaceImport(directory: directory).write(to: output, processor: "A CPU", blas: "A BLAS"))
    }
}
