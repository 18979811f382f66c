// HuggingFaceImportTests - directories that are not what they say are refused, naming what is wrong.

import CheckpointFixtures
import Checkpointing
import FoundationEssentials
import LlamaModel
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct HuggingFaceImportTests {
    private let files: TemporaryFiles
    init() throws { files = try TemporaryFiles() }

    /// The error of importing a directory that `change` has altered.
    private func failure(
        _ model: ModelConfiguration = .small, _ change: (inout ModelDirectory) -> Void
    ) throws -> HuggingFaceError {
        var directory = ModelDirectory(model)
        change(&directory)
        let path = try directory.write(files)
        let output = files.path("checkpoints")
        let error = try #require(throws: HuggingFaceError.self) {
            try HuggingFaceImport.checkpoint(path, at: output)
        }
        #expect(!FileManager.default.fileExists(atPath: output + "/step-00000000"))
        return error
    }

    @Test func tensorsMustBeThoseOfTheModel() throws {
        let missing = try failure { $0["model.layers.1.mlp.up_proj.weight"] = nil }
        #expect(missing.kind == .missingTensor && missing.message.contains("model.layers.1.mlp.up_proj.weight"))
        let bias = "model.layers.0.self_attn.q_proj.bias"
        let zeros = [Float](repeating: 0, count: 8)
        let unexpected = try failure { $0[bias] = StoredTensor(bias, shape: [8], values: zeros) }
        #expect(unexpected.kind == .unexpectedTensor && unexpected.message.contains(bias))
        let layer = "model.layers.3.input_layernorm.weight"
        #expect(try failure { $0[layer] = StoredTensor(layer, shape: [1], values: [1]) }.message.contains(layer))
        let shape = try failure {
            $0["model.norm.weight"] = StoredTensor("model.norm.weight", shape: [4, 2], values: zeros)
        }
        #expect(shape.kind == .wrongShape && shape.message.contains("[4, 2]") && shape.message.contains("[8]"))
        let type = try failure {
            $0["model.norm.weight"] = StoredTensor(
                "model.norm.weight", type: "I16", shape: [8], halves: .init(repeating: 1, count: 8))
        }
        #expect(type.kind == .unreadableType && type.message.contains("I16"))
    }

    /// A configuration of another size than the weights, before anything of that size is allocated.
    @Test func hugeConfigurationsCostNothing() throws {
        for key in ["hidden_size\": 8", "vocab_size\": 40", "intermediate_size\": 12"] {
            let name = key.split(separator: " ")[0]
            let error = try failure {
                $0.configuration = $0.configuration.replacing(key, with: "\(name) 4194304").replacing(
                    "\"head_dim\": 2", with: "\"head_dim\": null")
            }
            #expect(error.kind == .wrongShape, "\(error)")
        }
        let layers = try failure {
            $0.configuration = $0.configuration.replacing("num_hidden_layers\": 3", with: "num_hidden_layers\": 8192")
        }
        #expect(layers.kind == .missingTensor && layers.message.contains("model.layers.3."))
    }

    @Test func tiedModelsMayBringTheirHead() throws {
        var directory = ModelDirectory(.small)
        let embedding = try #require(directory["model.embed_tokens.weight"])
        directory["lm_head.weight"] = embedding
        directory.tensors[directory.tensors.count - 1].name = "lm_head.weight"
        let reader = try HuggingFaceImport.checkpoint(try directory.write(files), at: files.path("good"))
        _ = try HuggingFaceExport(reader).write(to: files.path("out"))
        #expect(try storedTensors(files.path("out"))["lm_head.weight"] == nil)

        let different = try failure {
            $0.tensors = directory.tensors
            $0.tensors[$0.tensors.count - 1].bytes[40] ^= 1
        }
        #expect(different.kind == .tiedHeadDiffers)
        let shape = try failure { $0["lm_head.weight"] = StoredTensor("lm_head.weight", shape: [1], values: [0]) }
        #expect(shape.kind == .wrongShape)
        var untied = ModelConfiguration.small
        untied.tieWordEmbeddings = false
        let missing = try failure(untied) { $0["lm_head.weight"] = nil }
        #expect(missing.kind == .missingTensor && missing.message.contains("tie_word_embeddings"))
    }

    @Test func rotaryFrequenciesAreIgnored() throws {
        var directory = ModelDirectory(.small)
        for layer in 0..<3 {
            let name = "model.layers.\(layer).self_attn.rotary_emb.inv_freq"
            directory[name] = StoredTensor(name, shape: [1], values: [1])
        }
        let reader = try HuggingFaceImport.checkpoint(try directory.write(files), at: files.path("checkpoints"))
        _ = try HuggingFaceExport(reader).write(to: files.path("out"))
        #expect(try storedTensors(files.path("out")).count == 29)
    }

    private typealias Change = (inout ModelDirectory) -> Void

    private func sharded(_ change: @escaping Change = { _ in }) -> Change {
        { directory in
            let names = directory.tensors.map(\.name)
            directory.shards = [("b.safetensors", Array(names[..<9])), ("a.safetensors", Array(names[9...]))]
            change(&directory)
        }
    }

    @Test func shardsMustBeWhatTheIndexSays() throws {
        var directory = ModelDirectory(.small)
        sharded()(&directory)
        let reader = try HuggingFaceImport.checkpoint(try directory.write(files), at: files.path("good"))
        _ = try HuggingFaceExport(reader).write(to: files.path("out"))
        #expect(try storedTensors(files.path("out")).count == 29)

        for name in ["../b.safetensors", "/b.safetensors", "x/b.safetensors", "..", ".b.safetensors", "b.bin", ""] {
            let index = "{\"weight_map\":{\"model.norm.weight\":\"\(name)\"}}"
            let error = try failure {
                $0.shards = []
                $0.extra = [("model.safetensors.index.json", Array(index.utf8))]
            }
            #expect(error.kind == .badFileName && error.message.contains("'\(name)'"))
        }
        func indexed(_ text: String) throws -> HuggingFaceError {
            try failure(.small, sharded { $0.extra = [("model.safetensors.index.json", Array(text.utf8))] })
        }
        #expect(try indexed("{}").kind == .badIndex)
        #expect(try indexed("{\"weight_map\":{}}").kind == .badIndex)
        #expect(try indexed("{\"weight_map\":[]}").kind == .wrongType)
        #expect(try indexed("{\"weight_map\":{\"x\":1}}").kind == .wrongType)
        #expect(try indexed("{\"weight_map\":{\"x\":\"a.safetensors\",\"x\":\"b.safetensors\"}}").kind == .duplicateKey)
        #expect(try indexed("{\"weight_map\":{\"x\":\"c.safetensors\"}}").kind == .missing)
        // A tensor that is in another file than promised, and one that no file has.
        #expect(try indexed("{\"weight_map\":{\"model.norm.weight\":\"b.safetensors\"}}").kind == .badIndex)
        let promised = try failure(.small, sharded { $0["model.norm.weight"] = nil })
        #expect(promised.kind == .badIndex && promised.message.contains("model.norm.weight"))
    }

    @Test func whatIsMissingIsNamed() throws {
        let error = try #require(throws: HuggingFaceError.self) {
            try HuggingFaceImport(directory: files.path("nowhere"))
        }
        #expect(error.kind == .missing && error.file == files.path("nowhere"))
        let path = try ModelDirectory(.small).write(files)
        try FileManager.default.removeItem(atPath: path + "/model.safetensors")
        try overwrite(path + "/pytorch_model.bin", with: [0])
        let weights = try #require(throws: HuggingFaceError.self) { try HuggingFaceImport(directory: path) }
        #expect(weights.kind == .missing && weights.message.contains("pytorch_model.bin"))
        try FileManager.default.removeItem(atPath: path + "/config.json")
        let configuration = try #require(throws: HuggingFaceError.self) { try HuggingFaceImport(directory: path) }
        #expect(configuration.kind == .missing && configuration.file == path + "/config.json")
    }

    /// A directory without tokenizer files says nothing about its tokenizer, but for the size of this program's byte models.
    @Test func withoutTokenizerFilesThereIsNone() throws {
        var model = ModelConfiguration.small
        for (size, name) in [(40, "none"), (257, "bytes"), (258, "none"), (32_000, "none")] {
            model.vocabularySize = size
            let imported = try HuggingFaceImport(directory: try ModelDirectory(model).write(files, "\(size)"))
            #expect(imported.tokenizer == .init(name: name), "\(size)")
            #expect(imported.notes.contains { $0.contains("has no tokenizer") }, "\(size): \(imported.notes)")
        }
        // Who knows it can say so.
        let given = CheckpointIndex.Tokenizer(name: "bytes")
        let imported = try HuggingFaceImport(directory: files.path("258"), tokenizer: given)
        #expect(imported.tokenizer == given && imported.notes.isEmpty)
        let path = try imported.write(to: files.path("given"), processor: "", blas: "")
        #expect(try load(path).index.tokenizer == given)
    }

    /// An end token is for a `tokenizer.json`: with another tokenizer it would be passed over.
    @Test func anEndTokenNeedsATokenizerFile() throws {
        var directory = ModelDirectory(ModelDirectory.grouped)
        directory.extra = [("tokenizer.model", HandmadeModel().bytes)]
        let path = try directory.write(files)
        for (path, name) in [(path, "tokenizer.model"), (try ModelDirectory(.small).write(files, "bare"), "none")] {
            #expect(try HuggingFaceImport(directory: path).tokenizer.name == name)
            let error = try #require(throws: HuggingFaceError.self) {
                try HuggingFaceImport(directory: path, endToken: "<x>")
            }
            #expect(error.kind == .badTokenizer && error.file == path)
            let start = "--end-token is for a tokenizer.json, and the import has the tokenizer \(name)"
            #expect(error.message.hasPrefix(start), "\(error)")
        }
    }

    /// Beside a vocabulary of tiktoken, what is wrong with the `tokenizer.json` is said too.
    @Test func whyNeitherTokenizerIsUsedIsSaid() throws {
        var directory = ModelDirectory(ModelDirectory.grouped)
        directory.extra = [("tokenizer.model", Array("IQ== 0\nIg== 1\n".utf8)), ("tokenizer.json", Array("{}".utf8))]
        let imported = try HuggingFaceImport(directory: directory.write(files))
        #expect(imported.tokenizer.name == "none")
        #expect(imported.notes[0].contains(", and its tokenizer.json cannot be used here ("), "\(imported.notes)")
    }

    @Test func nothingIsOverwritten() throws {
        let source = try ModelDirectory(.small).write(files)
        let output = files.path("checkpoints")
        let reader = try HuggingFaceImport.checkpoint(source, at: output)
        for path in [output, output + "/", output + "/step-00000000"] {
            let error = try #require(throws: HuggingFaceError.self) {
                try HuggingFaceImport.checkpoint(source, at: path)
            }
            #expect(error.kind == .destination)
        }
        let export = HuggingFaceExport(reader)
        try overwrite(files.path("file"), with: [])
        for path in [source, output, files.path("file")] {
            let before = try path == files.path("file") ? [] : names(in: path)
            let error = try #require(throws: HuggingFaceError.self) { try export.write(to: path) }
            #expect(error.kind == .destination)
            #expect(try path == files.path("file") || names(in: path) == before)
        }
        // An empty directory is taken, and so is the place of an export that died.
        try Files.makeDirectories(files.path("empty"))
        try Files.makeDirectories(files.path("empty.mile-dist-partial"))
        try overwrite(files.path("empty.mile-dist-partial/model.safetensors"), with: [1])
        _ = try export.write(to: files.path("empty/"))
        #expect(try names(in: files.path("empty")) == ["config.json", "model.safetensors"])
        #expect(!FileManager.default.fileExists(atPath: files.path("empty.mile-dist-partial")))
    }
}
