// UnusedSettingsTests - settings that nothing here follows are said, and an export keeps them.

import CheckpointFixtures
import Checkpointing
import JSONReading
import LlamaModel
import SentencePieceText
import Tensors
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct UnusedSettingsTests {
    private let files: TemporaryFiles
    init() throws { files = try TemporaryFiles() }

    /// A directory with the small SentencePiece model (begin 1, end 2, no padding) and other files.
    private func directory(
        _ members: String? = nil, _ extra: [String: String] = [:], model: [UInt8]? = HandmadeModel().bytes,
        name: String = "in"
    ) throws -> String {
        var directory = ModelDirectory(ModelDirectory.grouped)
        if let members { directory.add(members) }
        if let model { directory.extra = [("tokenizer.model", model)] }
        directory.extra += extra.map { ($0.key, Array($0.value.utf8)) }
        // What an earlier call wrote must not count.
        if try Files.status(files.path(name)) != .absent { try Files.removeDirectory(files.path(name)) }
        return try directory.write(files, name)
    }

    private func notes(_ members: String? = nil, _ extra: [String: String] = [:]) throws -> [String] {
        try HuggingFaceImport(directory: directory(members, extra)).notes
    }

    private func tree(_ path: String) throws -> JSONTree { try JSONTree(bytes(of: files.path(path)), file: path) }

    /// As transformers writes a LLaMA: there is nothing to say, and all of it comes out again.
    @Test func whatTheTokenizerHasIsCarried() throws {
        let path = try directory(
            #""bos_token_id": 1, "eos_token_id": 2, "pad_token_id": null"#,
            [
                "generation_config.json":
                    #"{"_from_model_config": true, "bos_token_id": 1, "eos_token_id": [2], "transformers_version": "4.41.2"}"#,
                "tokenizer_config.json":
                    #"{"add_bos_token": false, "bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "pad_token": null, "added_tokens_decoder": {"0": {"content": "<unk>"}, "2": {"content": "</s>"}}, "chat_template": null}"#,
                "special_tokens_map.json": #"{"eos_token": "</s>", "additional_special_tokens": ["<s>"]}"#,
                "added_tokens.json": #"{"<s>": 1}"#,
                "tokenizer.json": #"{"added_tokens": [{"id": 1, "content": "<s>"}], "model": {"vocab": {"a": 5}}}"#,
            ])
        let imported = try HuggingFaceImport(directory: path)
        #expect(imported.notes.isEmpty, "\(imported.notes)")
        let reader = try load(try imported.write(to: files.path("checkpoints"), processor: "", blas: ""))
        #expect(reader.index.withheldTokens.isEmpty)
        #expect(try HuggingFaceExport(reader).write(to: files.path("out")).isEmpty)
        for name in try names(in: path) where name != "model.safetensors" {
            #expect(try bytes(of: files.path("out/\(name)")) == bytes(of: path + "/" + name), "\(name)")
        }
        // What was written has nothing that is lost either.
        #expect(try HuggingFaceImport(directory: files.path("out")).notes.isEmpty)
    }

    /// 32000 became 2, and a list of ends one of them.
    @Test(arguments: ["32000", "[32000, 2]", "null"])
    func anotherEndIsNeverReplaced(end: String) throws {
        let path = try directory("\"eos_token_id\": \(end)")
        let imported = try HuggingFaceImport(directory: path)
        let shown = end == "[32000, 2]" ? "[ 32000, 2 ]" : end
        #expect(
            imported.notes == [
                "eos_token_id is \(shown) in config.json, and 2 ('</s>') in the tokenizer: documents end with 2 here; an"
                    + " export keeps what the files say"
            ])
        let reader = try load(try imported.write(to: files.path("checkpoints"), processor: "", blas: ""))
        #expect(reader.index.withheldTokens == [.end])
        #expect(try HuggingFaceExport(reader).write(to: files.path("out")).isEmpty)
        #expect(try bytes(of: files.path("out/config.json")) == bytes(of: path + "/config.json"))
        // The files that the directory lacks say nothing else.
        #expect(!(try names(in: files.path("out")).contains("generation_config.json")))
        #expect(try tree("out/tokenizer_config.json")["eos_token"] == .null)
        #expect(
            try HuggingFaceImport.checkpoint(files.path("out"), at: files.path("back")).index.withheldTokens == [.end])
    }

    /// Of several ends the first ends documents.
    @Test func aListThatBeginsWithTheTokenizersEndAgrees() throws {
        #expect(try notes(#""eos_token_id": [2, 32000]"#).isEmpty)
        #expect(try notes(#""eos_token_id": []"#).count == 1)
    }

    /// Checkpoints of earlier versions know which roles are withheld, and carry no files.
    @Test func withoutCarriedFilesTheIdIsLeftOut() throws {
        let store = CheckpointStore(directory: files.path("store"))
        let temporary = try store.begin(step: 1)
        let model = ModelConfiguration.small
        let count = model.tensorTable.count
        let shards = try writeShards(in: temporary, layout: [[0..<count]], values: Values(count: count))
        var index = makeIndex(step: 1, model: model, shards: shards)
        index.tokenizer = .init(name: "tokenizer.model", bytes: HandmadeModel().bytes)
        index.withheldTokens = [.end]
        let reader = try load(try store.complete(temporary, index: index))
        let notes = try HuggingFaceExport(reader).write(to: files.path("out"))
        #expect(notes.count == 1 && notes[0].hasPrefix("eos_token_id: left out"), "\(notes)")
        let configuration = try tree("out/config.json")
        #expect(configuration["eos_token_id"] == .null && configuration["bos_token_id"] == .integer(1))
        #expect(try tree("out/generation_config.json")["eos_token_id"] == nil)
        #expect(try tree("out/tokenizer_config.json")["eos_token"] == .null)
    }

    @Test func everySourceCounts() throws {
        let generation = try notes(nil, ["generation_config.json": #"{"eos_token_id": 5}"#])
        #expect(generation.count == 1 && generation[0].contains("eos_token_id is 5 in generation_config.json"))
        let settings = try notes(nil, ["tokenizer_config.json": #"{"eos_token": {"content": "<|im_end|>"}}"#])
        #expect(settings.count == 1 && settings[0].contains("eos_token_id is '<|im_end|>' in tokenizer_config.json"))
        let map = try notes(nil, ["special_tokens_map.json": #"{"bos_token": "<|im_start|>"}"#])
        #expect(map.count == 1 && map[0].contains("bos_token_id is '<|im_start|>' in special_tokens_map.json"))
        let padding = try notes(#""pad_token_id": 0"#)
        #expect(
            padding == [
                "pad_token_id is 0 in config.json, and the tokenizer has none; an export keeps what the files say"
            ])
        let all = try notes(
            #""eos_token_id": 7"#,
            ["generation_config.json": #"{"eos_token_id": [7, 8]}"#, "tokenizer_config.json": #"{"eos_token": "x"}"#])
        #expect(
            all.count == 1
                && all[0].hasPrefix(
                    "eos_token_id is 7 in config.json, [ 7, 8 ] in generation_config.json, 'x' in tokenizer_config.json, and"
                ))
    }

    /// Bytes end documents with 256, and that is not what a directory means that says 2.
    @Test func bytesAndNoneHaveNoOtherEndsEither() throws {
        let reader = try load(
            try save(CheckpointStore(directory: files.path("store")), step: 1, model: ModelDirectory.grouped))
        _ = try HuggingFaceExport(reader).write(to: files.path("bytes"))
        #expect(try tree("bytes/config.json")["eos_token_id"] == .integer(256))
        let text = String(decoding: try bytes(of: files.path("bytes/config.json")), as: UTF8.self)
        try overwrite(
            files.path("bytes/config.json"),
            with: Array(text.replacing("\"eos_token_id\": 256", with: "\"eos_token_id\": 2").utf8))
        let imported = try HuggingFaceImport(directory: files.path("bytes"))
        #expect(imported.tokenizer == .init(name: "bytes"))
        #expect(imported.notes.count == 1 && imported.notes[0].contains("and 256 ('<|endoftext|>') in the tokenizer"))
        let back = try load(try imported.write(to: files.path("checkpoints"), processor: "", blas: ""))
        _ = try HuggingFaceExport(back).write(to: files.path("out"))
        #expect(try tree("out/config.json")["eos_token_id"] == .integer(2))
        #expect(try tree("out/tokenizer_config.json")["eos_token"] == .string("<|endoftext|>"))

        let path = try directory(
            #""eos_token_id": [128001, 128009]"#, ["tokenizer.json": "{}", "added_tokens.json": #"{"<x>": 3}"#],
            model: nil,
            name: "none")
        let none = try HuggingFaceImport(directory: path)
        #expect(none.tokenizer == .init(name: "none") && none.notes.count == 2)
        #expect(
            none.notes[1]
                == "eos_token_id is [ 128001, 128009 ] in config.json, and the checkpoint has no tokenizer; an export"
                + " keeps what the files say"
        )
    }

    @Test func addedTokensAreNamed() throws {
        let found = try notes(
            nil,
            [
                "added_tokens.json": #"{"<|im_end|>": 267, "<s>": 1}"#,
                "tokenizer_config.json":
                    #"{"added_tokens_decoder": {"267": {"content": "<|im_end|>"}, "268": {"content": "<|im_start|>"}}, "additional_special_tokens": ["<tool>", {"content": "</s>"}]}"#,
                "tokenizer.json": #"{"model": {"vocab": {"a": 5}}, "added_tokens": [{"id": 269, "content": "<pad>"}]}"#,
            ])
        #expect(
            found == [
                "4 added tokens are not known to the tokenizer, and texts with them get other ids here: '<|im_end|>' (267), "
                    + "'<|im_start|>' (268), '<pad>' (269), '<tool>'"
            ])
        // The same text under another id is another token.
        let moved = try notes(nil, ["added_tokens.json": #"{"<s>": 9}"#])
        #expect(
            moved == ["1 added token is not known to the tokenizer, and texts with them get other ids here: '<s>' (9)"])
        let many = (0..<20).map { "\"<\($0)>\": \(300 + $0)" }.joined(separator: ",")
        #expect(try notes(nil, ["added_tokens.json": "{\(many)}"])[0].hasSuffix("'<7>' (307) and 12 more"))
    }

    /// What is carried, and concerns no id, needs no word.
    @Test func chatsAndGenerationNeedNoNote() throws {
        let settings = ["tokenizer_config.json": #"{"chat_template": "{{ x }}"}"#, "chat_template.jinja": "{{ x }}"]
        #expect(try notes(nil, settings).isEmpty)
        #expect(try notes(nil, ["generation_config.json": #"{"do_sample": true, "eos_token_id": 2}"#]).isEmpty)
        let begin = try notes(nil, ["tokenizer_config.json": #"{"add_bos_token": true, "add_eos_token": false}"#])
        #expect(begin == ["tokenizer_config.json: add_bos_token is true; texts get no token before them here"])
    }

    /// Such files were never needed: what is wrong with one is said, and the import goes on.
    @Test func damagedFilesAreNotes() throws {
        for name in [
            "generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
            "tokenizer.json",
        ] {
            for text in ["{\"a\": NaN}", "nothing", "[", "version https://git-lfs.github.com/spec/v1\n"] {
                let found = try notes(nil, [name: text])
                #expect(
                    found.count == 1 && found[0].contains(name) && found[0].hasSuffix("it is passed over"), "\(found)")
            }
            #expect(try notes(nil, [name: "[]"]).allSatisfy { $0.contains("passed over") })
        }
    }

    @Test func aModelWithoutEndSaysWhatThatMeans() throws {
        var model = HandmadeModel()
        // The library knows the end token by its text.
        model.pieces[2].text = "</x>"
        let imported = try HuggingFaceImport(directory: directory(nil, [:], model: model.bytes))
        #expect(imported.notes.count == 1 && imported.notes[0].hasPrefix("tokenizer.model has no end token"))
        #expect(imported.notes[0].contains("prepared token files"))
        // What SentencePiece itself refuses is said too.
        model.pieces[0].kind = 1
        let refused = try HuggingFaceImport(directory: directory(nil, [:], model: model.bytes)).notes
        #expect(refused.count == 1 && refused[0].hasPrefix("tokenizer.model cannot be used here"), "\(refused)")
    }
}
