// HuggingFaceFilesTests - directories whose files are missing, or are others than their names say.

import CheckpointFixtures
import Checkpointing
import FoundationEssentials
import LlamaModel
import Tensors
import Testing

@testable import HuggingFace

@Suite struct HuggingFaceFilesTests {
    private let files: TemporaryFiles
    init() throws { files = try TemporaryFiles() }

    private static let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:9e55\nsize 499723\n"

    private func failure(_ path: String) throws -> HuggingFaceError {
        try #require(throws: HuggingFaceError.self) { try HuggingFaceImport(directory: path) }
    }

    /// A directory with `config.json` and files in place of the weights.
    private func directory(_ names: [String], hasConfiguration: Bool = true) throws -> String {
        let path = try ModelDirectory(.small).write(files, "case")
        for name in try FileManager.default.contentsOfDirectory(atPath: path) {
            if name == "config.json", hasConfiguration { continue }
            try FileManager.default.removeItem(atPath: path + "/" + name)
        }
        for name in names { try overwrite(path + "/" + name, with: [1]) }
        return path
    }

    /// A clone without `git lfs pull` has pointers for every large file.
    @Test func pointersOfGitLFSAreNamed() throws {
        let names = ["config.json", "model.safetensors", "tokenizer.model", "tokenizer.json"]
        for name in names {
            let path = try ModelDirectory(.small).write(files, "lfs-" + name)
            try overwrite(path + "/" + name, with: Array(Self.pointer.utf8))
            let error = try failure(path)
            #expect(error.kind == (name == "tokenizer.model" ? .badTokenizer : .unexpectedContent), "\(error)")
            #expect(error.file == path + "/" + name && error.message.contains("git lfs pull"), "\(error)")
            #expect(error.message.hasPrefix("this is a Git LFS pointer to the file (of 499723 bytes)"), "\(error)")
        }
        var directory = ModelDirectory(.small)
        directory.shards = [("a.safetensors", directory.tensors.map(\.name))]
        let path = try directory.write(files, "shards")
        try overwrite(path + "/a.safetensors", with: Array(Self.pointer.utf8))
        #expect(try failure(path).file == path + "/a.safetensors")
        try overwrite(path + "/model.safetensors.index.json", with: Array(Self.pointer.utf8))
        #expect(try failure(path).file == path + "/model.safetensors.index.json")
    }

    @Test func otherContentIsNamed() throws {
        for (bytes, words) in [
            (Array("GGUF\u{3}\0\0\0".utf8), "GGUF"), (Array("PK\u{3}\u{4}torch".utf8), "zip archive"),
            (Array("<!doctype html>".utf8), "web page"), ([0x80, 2, 0x8A, 0x0A, 1, 2, 3, 4, 5], "Python pickle"),
            ([], "the file is empty"), (Array("{\"a\": 1, \"b\": 2}".utf8), "this is JSON"),
        ] as [([UInt8], String)] {
            let path = try ModelDirectory(.small).write(files, "other")
            try overwrite(path + "/model.safetensors", with: bytes)
            let error = try failure(path)
            #expect(error.kind == .unexpectedContent && error.message.contains(words), "\(error)")
            #expect(error.message.contains("not a safetensors file; "), "\(error)")
        }
        // Damage stays damage.
        let path = try ModelDirectory(.small).write(files, "cut")
        try overwrite(path + "/model.safetensors", with: Array(bytes(of: path + "/model.safetensors").dropLast()))
        #expect(try failure(path).kind == .outsideData)
    }

    /// Llama 3's own tokenizer.model is no mistake: the model is imported without.
    @Test func tiktokenGivesNone() throws {
        var directory = ModelDirectory(.small)
        directory.extra = [("tokenizer.model", Array("IQ== 0\nIg== 1\n".utf8))]
        let imported = try HuggingFaceImport(directory: try directory.write(files))
        #expect(imported.tokenizer == .init(name: "none") && imported.notes.count == 1)
        #expect(imported.notes[0].contains("tokenizer.model: this is a vocabulary of tiktoken"))
        #expect(imported.notes[0].hasSuffix("continues on prepared token files only"))
    }

    @Test(arguments: [
        (["model-Q4_K_M.gguf"], "; model-Q4_K_M.gguf is of llama.cpp (GGUF): fetch the original model"),
        (
            ["consolidated.00.pth", "params.json"],
            "; consolidated.00.pth, params.json are weights in Meta's own layout: convert"
        ),
        (["consolidated.safetensors"], "; consolidated.safetensors is weights in Meta's own layout"),
        (
            ["model.fp16.safetensors"],
            "; model.fp16.safetensors is a variant of the weights: rename to model.safetensors"
        ),
        (
            ["model.fp16-00001-of-00002.safetensors", "model.safetensors.index.fp16.json"],
            "are a variant of the weights"
        ),
        (
            ["adapter_config.json", "adapter_model.safetensors"],
            "are adapters (LoRA): merge them into their base model"
        ),
        (
            ["pytorch_model.bin"],
            "; pytorch_model.bin is pickled weights, which are not read: save the model as safetensors"
        ),
        (["pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"], "are pickled weights"),
        (["model-00001-of-00002.safetensors"], "is a shard without its index: fetch model.safetensors.index.json too"),
        (["weights.safetensors"], "is not known here by this name: rename to model.safetensors"),
        (["model.safetensors.part"], "is an unfinished download"), (["tf_model.h5"], "weights of another framework"),
        (["COMPLETE", "checkpoint.h5"], "are checkpoints of this program: no import is needed"),
        (["global_step100"], "is a checkpoint of a training"),
        (["README.md", "training_args.bin"], "; the directory holds README.md, config.json, training_args.bin"),
        ((0..<9).map { "x\($0).gguf" }, "; x0.gguf, x1.gguf, x2.gguf and 6 more are of llama.cpp"),
    ])
    func whatIsThereIsSaid(names: [String], words: String) throws {
        let path = try directory(names)
        let error = try failure(path)
        #expect(error.kind == .missing && error.file == path + "/model.safetensors", "\(error)")
        #expect(error.message.hasPrefix("the weights are missing; ") && error.message.contains(words), "\(error)")
    }

    @Test func severalKindsAreSaid() throws {
        let error = try failure(try directory(["pytorch_model.bin", "model.gguf", "consolidated.00.pth"]))
        for words in ["pickled weights", "llama.cpp", "Meta's own layout"] { #expect(error.message.contains(words)) }
        // Without a configuration too: such downloads rarely have one.
        let path = try directory(["model.gguf"], hasConfiguration: false)
        let missing = try failure(path)
        #expect(
            missing.file == path + "/config.json" && missing.message.contains("model.gguf is of llama.cpp"),
            "\(missing)")
        #expect(try failure(try directory([], hasConfiguration: false)).message.hasSuffix("; the directory is empty"))
        try overwrite(files.path("model.gguf"), with: [1])
        #expect(try failure(files.path("model.gguf")).message.hasPrefix("this is no directory"))
    }

    @Test func weightsThatAreNotFiniteAreNamed() throws {
        for (bad, type) in [(Float.nan, "F32"), (.infinity, "F32"), (-.infinity, "F16"), (.nan, "BF16")] {
            var directory = ModelDirectory(.small)
            let shape = [12, 8]
            var values = [Float](repeating: 1, count: 96)
            (values[5], values[95]) = (bad, bad)
            let name = "model.layers.2.mlp.up_proj.weight"
            directory[name] =
                type == "F32"
                ? StoredTensor(name, shape: shape, values: values)
                : StoredTensor(
                    name, type: type, shape: shape,
                    halves: values.map { type == "F16" ? Float16($0).bitPattern : UInt16($0.bitPattern >> 16) })
            let source = try directory.write(files, "hf")
            let error = try #require(throws: HuggingFaceError.self) {
                try HuggingFaceImport.checkpoint(source, at: files.path("checkpoints"))
            }
            #expect(error.kind == .nonFinite && error.file == source, "\(error)")
            #expect(
                error.message.hasPrefix("1 of 29 tensors holds NaN or infinite numbers: \(name) (2 of 96): "),
                "\(error)")
            #expect(!FileManager.default.fileExists(atPath: files.path("checkpoints")))
        }
    }

    /// The place in the file, as editors count it.
    @Test func jsonMistakesHaveAPlace() throws {
        let path = try ModelDirectory(.small).write(files)
        try overwrite(path + "/config.json", with: Array("{\"model_type\": \"llama\",\n  \"é\": NaN}\n".utf8))
        #expect(
            try failure(path).message
                == "byte 32 of the JSON (line 2, column 8): NaN is no JSON value; write null or a number")
        try overwrite(path + "/config.json", with: Array("{\"a\": -Infinity}".utf8))
        #expect(
            try failure(path).message == "byte 6 of the JSON: -Infinity is no JSON value; write null or a number")
    }
}
