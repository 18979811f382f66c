// CarriedDirectoryTests - what lies beside the weights comes out of an export as it went into an import.

import JSONReading
import CheckpointFixtures
import FoundationEssentials
import LlamaModel
import Tensors
import TestSupport
import Testing

@testable import Checkpointing
@testable import HuggingFace

@Suite struct CarriedDirectoryTests {
    private let files: TemporaryFiles
    init() throws { files = try TemporaryFiles() }

    /// One of each file that real directories have, none as this program would write it.
    private static let texts = [
        "README.md": "# A model\r\n", "LICENSE": "Do what you want.", "USE_POLICY.txt": "",
        "chat_template.jinja": "{{ x }}",
        "chat_template.json": #"{"chat_template": "{{ x }}"}"#, "merges.txt": "#version: 0.2\na b\n",
        "vocab.json": #"{"a": 0, "b": 1}"#, "added_tokens.json": #"{"<|im_end|>": 39}"#,
        "special_tokens_map.json": #"{"eos_token": "<|im_end|>"}"#, "preprocessor_config.json": "[]",
        "tokenizer.json": #"{"version": "1.0", "model": {"type": "BPE", "vocab": {}}}"#,
        "tokenizer_config.json": #"{ "eos_token":"<|im_end|>", "chat_template": null }"#,
        "modeling_x.py": "import os\n",
        "generation_config.json": #"{"eos_token_id": [39, 2], "pad_token_id": 0, "temperature": 0.6}"#,
    ]

    private func directory(
        _ texts: [String: String] = Self.texts, members: String = #""eos_token_id": [39, 2], "pad_token_id": 0"#,
        model: ModelConfiguration = .small, name: String = "in"
    ) throws -> String {
        var directory = ModelDirectory(model)
        directory.add(members)
        directory.extra = texts.map { ($0.key, Array($0.value.utf8)) }
        return try directory.write(files, name)
    }

    private func text(_ path: String) throws -> String { String(decoding: try bytes(of: path), as: UTF8.self) }

    /// The names whose bytes differ, or that only one directory has; weights do not count.
    private func differences(_ a: String, _ b: String) throws -> [String] {
        let names = Set(try names(in: a) + names(in: b)).filter { !$0.hasSuffix(".safetensors") }
        return names.filter { name in
            (try? bytes(of: a + "/" + name)) != (try? bytes(of: b + "/" + name))
        }.sorted()
    }

    @Test func everyFileComesBack() throws {
        let source = try directory()
        let reader = try HuggingFaceImport.checkpoint(source, at: files.path("checkpoints"))
        #expect(reader.index.carriedFiles.count == Self.texts.count + 1 && reader.index.tokenizer.name == "none")
        #expect(try HuggingFaceExport(reader).write(to: files.path("out")).isEmpty)
        #expect(try differences(source, files.path("out")) == [])
        #expect(try names(in: files.path("out")).count == Self.texts.count + 2)
        // The comparison sees one byte, and a file too many.
        try overwrite(files.path("out/LICENSE"), with: Array("Do what you want!".utf8))
        try overwrite(files.path("out/x"), with: [])
        #expect(try differences(source, files.path("out")) == ["LICENSE", "x"])
        // Whoever changes the checkpoint is noticed by the export.
        try overwrite(reader.directory + "/carried-LICENSE", with: Array("Do what you want!".utf8))
        #expect(throws: CheckpointError.self) { try HuggingFaceExport(reader).write(to: files.path("again")) }
        #expect(try !names(in: files.directory).contains { $0.hasPrefix("again") })
    }

    /// Weights in other formats, hidden files and what is unfinished stay behind without a word; folders with one.
    @Test func whatIsLeftOut() throws {
        let weights = [
            "pytorch_model.bin", "pytorch_model.bin.index.json", "x.gguf", "tf_model.h5", "flax_model.msgpack",
            "m.onnx",
            "optimizer.pt", "consolidated.00.pth", "model.fp16.safetensors", "model.safetensors.index.fp16.json",
            "tokenizer.json.part", ".gitattributes", ".x.json",
        ]
        let source = try directory(Dictionary(uniqueKeysWithValues: (weights + ["a.txt"]).map { ($0, "x") }))
        #expect(try SmallFiles(source).files.map(\.name) == ["config.json", "a.txt"])
        #expect(try SmallFiles(source).notes == [])
        try Files.makeDirectories(source + "/onnx")
        try overwrite(source + "/a\\b.txt", with: [1])
        let small = try SmallFiles(source)
        #expect(small.files.map(\.name) == ["config.json", "a.txt"] && small.notes.count == 1)
        #expect(
            small.notes[0].hasPrefix("\(source): not carried: 'a\\\\b.txt' (its name), 'onnx' (a folder); ")
                || small.notes[0].hasPrefix("\(source): not carried: 'a\\b.txt' (its name), 'onnx' (a folder); "),
            "\(small.notes)")
        #expect(try HuggingFaceImport(directory: source).notes.contains(small.notes[0]))
    }

    /// What tells the model and its tokenizer comes before whatever else there is.
    @Test func tooMuchIsLeftOut() throws {
        let source = try directory(["a.txt": String(repeating: "x", count: 5000), "tokenizer.json": "{}", "z.txt": "z"])
        let size = try bytes(of: source + "/config.json").count
        let small = try SmallFiles(source, limit: size + 3)
        #expect(small.files.map(\.name) == ["config.json", "tokenizer.json", "z.txt"])
        #expect(small.notes.count == 1 && small.notes[0].contains("not carried: 'a.txt' (5,000 bytes); "))
        #expect(try SmallFiles(source, limit: size + 5003).notes.isEmpty)
    }

    // MARK: - config.json

    /// The model of a checkpoint with another configuration than it carries.
    private func exported(_ model: ModelConfiguration, _ configuration: String) throws -> (text: String, [String]) {
        let store = CheckpointStore(directory: files.path("store"))
        let temporary = try store.begin(step: 1)
        let count = model.tensorTable.count
        let shards = try writeShards(in: temporary, layout: [[0..<count]], values: Values(count: count))
        var index = makeIndex(step: 1, model: model, shards: shards)
        index.tokenizer = .init(name: "none")
        let carried = [CarriedFile(name: "config.json", bytes: Array(configuration.utf8))]
        let path = try store.complete(temporary, index: index, carriedFiles: carried)
        let out = files.path("out")
        if try Files.status(out) != .absent { try Files.removeDirectory(out) }
        let notes = try HuggingFaceExport(load(path)).write(to: out)
        return (try text(out + "/config.json"), notes)
    }

    @Test func onlyWhatDiffersChanges() throws {
        let original = try text(directory(members: #""license":"mit", "torch_dtype":"bfloat16""#) + "/config.json")
        let fp32 = original.replacing("bfloat16", with: "float32")
        #expect(try exported(.small, original).text == fp32 && fp32 != original)
        #expect(try exported(.small, fp32).text == fp32)
        // The settings that a run may change, each in its place.
        var model = ModelConfiguration.small
        (model.maxPositionEmbeddings, model.initializerRange) = (4096, 0.5)
        let changed = try exported(model, original)
        let expected = fp32.replacing("\"max_position_embeddings\": 16", with: "\"max_position_embeddings\": 4096")
            .replacing("\"initializer_range\": 0.1", with: "\"initializer_range\": 0.5")
        #expect(changed.text == expected && expected.count > fp32.count)
        #expect(try HuggingFaceConfiguration(Array(changed.text.utf8), file: "").model == model)
        // The base of a file of transformers 5 stands in an object.
        model.ropeTheta = 77
        let base = try HuggingFaceConfiguration(Array(exported(model, original).text.utf8), file: "")
        #expect(base.model == model)
    }

    /// A key that the file lacks, because its model had the default, comes last and looks as the others.
    @Test func aMissingKeyIsAdded() throws {
        var model = ModelConfiguration.small
        model.initializerRange = 0.02
        let start = "{\n    \"model_type\": \"llama\",\n    \"hidden_size\": 8, \"intermediate_size\": 12,"
        let rest =
            "\"num_hidden_layers\": 3, \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"vocab_size\": 40,"
            + " \"max_position_embeddings\": 16, \"rope_theta\": 500000.5,\n    \"tie_word_embeddings\": true\n}\n"
        #expect(try exported(model, start + rest).text == start + rest)
        model.initializerRange = 0.5
        let expected = rest.replacing("true\n", with: "true,\n    \"initializer_range\": 0.5\n")
        #expect(try exported(model, start + rest).text == start + expected)
    }

    /// A carried file that is not the model's at all is not kept.
    @Test func anotherModelsFileIsWrittenAnew() throws {
        for (text, words) in [
            ("{}", "model_type"), ("[", "JSON"), (#"{"model_type": "llama", "x": 1}"#, "'x'"),
            ("{}" + String(repeating: " ", count: 1 << 20), "1048578 bytes"),
        ] {
            let (written, notes) = try exported(.small, text)
            #expect(try HuggingFaceConfiguration(Array(written.utf8), file: "").model == .small)
            #expect(
                notes.contains { $0.hasPrefix("config.json: ") && $0.contains(words) && $0.contains("written anew") },
                "\(notes)")
        }
    }

    @Test func aTypeIsStatedWhereItIsNot32Bits() {
        let model = ModelConfiguration.small
        let generated = Array(HuggingFaceConfiguration(model: model).text(tokens: SpecialTokens()).utf8)
        func text(_ members: String, _ torchName: String) -> String {
            let carried = Array(
                ModelDirectory(model).configuration.replacing("\"dtype\": \"float32\",", with: members).utf8)
            return String(
                decoding: CarriedConfiguration(carried, model: model, generated: generated, torchName: torchName).bytes,
                as: UTF8.self)
        }
        let plain = text("", "float32")
        #expect(!plain.contains("dtype") && !plain.isEmpty)
        #expect(text("", "bfloat16") == plain.dropLast() + ",\n \"torch_dtype\": \"bfloat16\"}")
        #expect(text("\"dtype\": \"float16\",", "bfloat16").contains("\"dtype\": \"bfloat16\","))
        #expect(text("\"torch_dtype\": \"torch.float16\",", "float16").contains("\"torch.float16\""))
        #expect(
            text("\"torch_dtype\": \"auto\", \"dtype\": \"float16\",", "float32").contains(
                "\"torch_dtype\": \"float32\", \"dtype\": \"float32\","))
    }

    // MARK: - Names

    /// A checkpoint from elsewhere cannot put weights into an export.
    @Test func noCarriedFileTakesThePlaceOfWeights() throws {
        let store = CheckpointStore(directory: files.path("store"))
        let temporary = try store.begin(step: 1)
        let shards = try writeShards(in: temporary, layout: [[0..<56]], values: Values(count: 56))
        let carried = [
            "model.safetensors", "model-00001-of-00002.safetensors", "model.safetensors.index.json", "x.bin",
        ]
        .map { CarriedFile(name: $0, bytes: [7]) }
        let path = try store.complete(
            temporary, index: makeIndex(step: 1, model: .tiny, shards: shards), carriedFiles: carried)
        _ = try HuggingFaceExport(load(path)).write(to: files.path("out"))
        #expect(try names(in: files.path("out")) == ["config.json", "generation_config.json", "model.safetensors"])
        #expect(try storedTensors(files.path("out")).count == 12)
    }

    // MARK: - Tokenizers

    /// Who names another tokenizer than the directory's gets its files, and no word of the others' stays.
    @Test func aGivenTokenizerReplacesTheFiles() throws {
        let model = HandmadeModel().bytes
        let source = try directory(
            ["tokenizer.json": "{}", "vocab.json": "{}", "a.txt": "a"], model: ModelDirectory.grouped)
        let given = CheckpointIndex.Tokenizer(name: "tokenizer.model", bytes: model)
        let imported = try HuggingFaceImport(directory: source, tokenizer: given)
        #expect(
            imported.notes.contains {
                $0.hasSuffix("(tokenizer.model) and is none of these files: tokenizer.json, vocab.json")
            }, "\(imported.notes)")
        let path = try imported.write(to: files.path("checkpoints"), processor: "", blas: "")
        _ = try HuggingFaceExport(load(path)).write(to: files.path("out"))
        let made = ["tokenizer.json", "tokenizer.model", "tokenizer_config.json"]
        #expect(try names(in: files.path("out")) == ["a.txt", "config.json", "model.safetensors"] + made)
        #expect(try bytes(of: files.path("out/tokenizer.model")) == model)
        #expect(try text(files.path("out/tokenizer.json")) != "{}")

        // The same file, named by the user, is the directory's own; none means that it is not used here.
        try overwrite(source + "/tokenizer.model", with: model)
        for tokenizer in [given, .init(name: "none")] {
            let again = try HuggingFaceImport(directory: source, tokenizer: tokenizer)
            #expect(again.tokenizer == tokenizer && !again.notes.contains { $0.contains("not carried") })
            let store = files.path("checkpoints-" + tokenizer.name)
            let reader = try load(try again.write(to: store, processor: "", blas: ""))
            let out = files.path("out-" + tokenizer.name)
            _ = try HuggingFaceExport(reader).write(to: out)
            #expect(try differences(source, out) == [])
        }
    }

    /// With 257 ids and any file of a tokenizer, the model is not taken for one of bytes.
    @Test func anyTokenizerFileSpeaksAgainstBytes() throws {
        var model = ModelConfiguration.small
        model.vocabularySize = 257
        for name in ["tokenizer_config.json", "merges.txt", "vocab.txt", "qwen.tiktoken", "spiece.model"] {
            let path = try directory([name: "{}"], members: #""bos_token_id": null"#, model: model, name: name + "-257")
            #expect(try HuggingFaceImport(directory: path).tokenizer.name == "none", "\(name)")
        }
        let path = try directory(["README.md": "x"], members: #""bos_token_id": null"#, model: model, name: "bare")
        #expect(try HuggingFaceImport(directory: path).tokenizer.name == "bytes")
    }

    @Test func endTokensAreThoseOfBothFiles() {
        func ends(_ configuration: String, _ generation: String? = nil) -> Set<Int32> {
            var files = [CarriedFile(name: "config.json", bytes: Array(configuration.utf8))]
            if let generation {
                files.append(CarriedFile(name: "generation_config.json", bytes: Array(generation.utf8)))
            }
            return EndTokens.stated(
                in: files + [CarriedFile(name: "x.json", bytes: Array(#"{"eos_token_id": 9}"#.utf8))])
        }
        #expect(ends(#"{"eos_token_id": 2}"#) == [2])
        #expect(ends(#"{"eos_token_id": [2, 7]}"#, #"{"eos_token_id": [7, 8]}"#) == [2, 7, 8])
        #expect(ends("{}", #"{"eos_token_id": null}"#) == [])
        #expect(ends("[", #"{"eos_token_id": [1, "x", 1e99, 4294967296, -1]}"#) == [1, -1])
        #expect(EndTokens.stated(in: []) == [])
        // Files of a size that no import reads are not parsed.
        let blanks = String(repeating: " ", count: 16 << 20)
        #expect(ends(#"{"eos_token_id": 2}"# + blanks, #"{"eos_token_id": 3}"#) == [3])
    }

    // MARK: - Spans

    @Test func replacingKeepsAllOtherBytes() throws {
        let text = "{\t\"a\" : [1, {\"b\": \"}\\\"\"}] ,\n \"b\":\"x,]\" , \"c\\\\\": 1e5,\"d\":{}}\n"
        func replaced(_ values: (key: String, value: JSONTree)...) -> String {
            String(decoding: MemberSpans.replacing(values, in: Array(text.utf8)), as: UTF8.self)
        }
        #expect(replaced() == text)
        #expect(replaced(("b", .integer(3))) == text.replacing("\"x,]\"", with: "3"))
        #expect(replaced(("a", .null)) == text.replacing("[1, {\"b\": \"}\\\"\"}]", with: "null"))
        #expect(replaced(("d", .integer(1)), ("e", .boolean(true))) == text.replacing("{}}", with: "1,\"e\": true}"))
        #expect(MemberSpans(Array("{}".utf8)).members.isEmpty && MemberSpans([]).members.isEmpty)
        // Cut texts do no harm.
        for count in 0..<text.utf8.count { _ = MemberSpans(Array(text.utf8.prefix(count))).members }
    }
}
