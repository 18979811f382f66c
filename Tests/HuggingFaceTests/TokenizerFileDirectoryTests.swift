// TokenizerFileDirectoryTests - directories with a tokenizer.json: imported as the model's tokenizer, exported as it is.

import CheckpointFixtures
import Checkpointing
import Foundation
import JSONReading
import LlamaModel
import Tensors
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct TokenizerFileDirectoryTests {
    private let files: TemporaryFiles
    init() throws { files = try TemporaryFiles() }

    private static let file = HandmadeTokenizerFile().bytes
    private static let end = Int(HandmadeTokenizerFile.end.id)
    private static let other = Int(HandmadeTokenizerFile.other.id)

    /// A tokenizer as a checkpoint holds it.
    private static func record(_ endToken: Int?, name: String = "tokenizer.json") -> CheckpointIndex.Tokenizer {
        .init(name: name, bytes: file, endToken: endToken)
    }

    /// A directory with the handmade `tokenizer.json` and other files; nil leaves the tokenizer out.
    private func directory(
        _ members: String? = nil, _ extra: [String: String] = [:], tokenizer: [UInt8]? = Self.file,
        model: ModelConfiguration = ModelDirectory.grouped, name: String = "in"
    ) throws -> String {
        var directory = ModelDirectory(model)
        if let members { directory.add(members) }
        if let tokenizer { directory.extra = [("tokenizer.json", tokenizer)] }
        directory.extra += extra.map { ($0.key, Array($0.value.utf8)) }
        // What an earlier call wrote must not count.
        if try Files.status(files.path(name)) != .absent { try Files.removeDirectory(files.path(name)) }
        return try directory.write(files, name)
    }

    private func checkpoint(_ imported: HuggingFaceImport, _ name: String = "checkpoints") throws -> CheckpointReader {
        let path = files.path(name)
        if try Files.status(path) != .absent { try FileManager.default.removeItem(atPath: path) }
        return try load(try imported.write(to: path, processor: "", blas: ""))
    }

    /// Exports to a new directory and returns the notes.
    private func export(_ reader: CheckpointReader, to name: String = "out") throws -> [String] {
        let path = files.path(name)
        if try Files.status(path) != .absent { try Files.removeDirectory(path) }
        return try HuggingFaceExport(reader).write(to: path)
    }

    /// Checks that the export has the names of `source`, and but for weights its bytes.
    private func expectSame(_ source: String, _ name: String = "out") throws {
        #expect(try names(in: files.path(name)) == names(in: source))
        for file in try names(in: source) where !file.hasSuffix(".safetensors") {
            #expect(try bytes(of: files.path("\(name)/\(file)")) == bytes(of: source + "/" + file), "\(file)")
        }
    }

    private func tree(_ path: String) throws -> JSONTree { try JSONTree(bytes(of: files.path(path)), file: path) }

    // MARK: - Import and export

    /// As transformers writes a chat model: several ends, and roles that a tokenizer.json does not tell.
    @Test func everyByteComesBack() throws {
        let source = try directory(
            #""bos_token_id": 264, "eos_token_id": [262, 264], "pad_token_id": 0"#,
            [
                "generation_config.json": #"{"bos_token_id": 264, "eos_token_id": [262, 264, 5], "do_sample": true}"#,
                "tokenizer_config.json":
                    #"{"bos_token": "<|other|>", "eos_token": {"content": "<|end|>"}, "pad_token": "a", "added_tokens_decoder": {"262": {"content": "<|end|>"}}}"#,
                "special_tokens_map.json": #"{"eos_token": "<|end|>"}"#, "vocab.json": "{}",
            ])
        let imported = try HuggingFaceImport(directory: source)
        #expect(imported.tokenizer == Self.record(Self.end) && imported.notes.isEmpty, "\(imported.notes)")
        let reader = try checkpoint(imported)
        #expect(reader.index.withheldTokens.isEmpty && reader.index.tokenizer == Self.record(Self.end))
        #expect(try export(reader).isEmpty)
        try expectSame(source)
        // What was written is the same model once more.
        let again = try HuggingFaceImport(directory: files.path("out"))
        #expect(again.notes.isEmpty && again.tokenizer == imported.tokenizer)
    }

    /// The comparison above can fail: one end is another, and each file is still the directory's.
    @Test(arguments: ["264", "[264, 262]", "[]"])
    func anotherFirstEndIsSaidAndKept(ends: String) throws {
        let source = try directory(
            "\"eos_token_id\": \(ends)", ["tokenizer_config.json": #"{"eos_token": "<|end|>"}"#])
        let imported = try HuggingFaceImport(directory: source)
        #expect(imported.notes.count == 1 && imported.notes[0].hasPrefix("eos_token_id is "), "\(imported.notes)")
        #expect(imported.notes[0].contains("and 262 ('<|end|>') in the tokenizer: documents end with 262 here"))
        let reader = try checkpoint(imported)
        #expect(reader.index.withheldTokens == [.end] && reader.index.tokenizer.endToken == Self.end)
        #expect(try export(reader).isEmpty)
        try expectSame(source)
    }

    /// Of a list the first ends documents, where nothing else names a token.
    @Test func generationNamesTheEndToo() throws {
        for (ends, id) in [("[264, 262]", Self.other), ("[262, 264]", Self.end), ("264", Self.other)] {
            let source = try directory(
                "\"eos_token_id\": \(ends)", ["generation_config.json": "{\"eos_token_id\": \(ends)}"])
            let imported = try HuggingFaceImport(directory: source)
            #expect(imported.tokenizer.endToken == id && imported.notes.isEmpty, "\(imported.notes)")
            _ = try export(checkpoint(imported))
            try expectSame(source)
        }
    }

    /// A checkpoint may lack an end token. It is kept, and what a run must name is said.
    @Test func withoutEndToken() throws {
        let source = try directory()
        let imported = try HuggingFaceImport(directory: source)
        #expect(imported.tokenizer == Self.record(nil))
        #expect(
            imported.notes == [
                "nothing says which token of tokenizer.json ends documents (eos): a run names it with data.end_token"
            ])
        #expect(try export(checkpoint(imported)).isEmpty)
        try expectSame(source)
        // The user may say it.
        for (setting, id) in [("<|other|>", Self.other), ("262", Self.end)] {
            let named = try HuggingFaceImport(directory: source, endToken: setting)
            #expect(named.tokenizer == Self.record(id) && named.notes.isEmpty, "\(named.notes)")
        }
    }

    /// A token that the tokenizer does not have is no begin and no padding.
    @Test func rolesNeedATokenOfTheTokenizer() throws {
        let settings = ["tokenizer_config.json": #"{"eos_token": "<|end|>", "bos_token": "<x>"}"#]
        let notes = try HuggingFaceImport(directory: directory(#""pad_token_id": 260"#, settings)).notes
        #expect(
            notes == [
                "bos_token_id is '<x>' in tokenizer_config.json, and the tokenizer has none; an export keeps what the"
                    + " files say",
                "pad_token_id is 260 in config.json, and the tokenizer has none; an export keeps what the files say",
            ])
    }

    // MARK: - With a tokenizer.model

    @Test func aSentencePieceModelComesFirst() throws {
        let model = HandmadeModel().bytes
        var source = ModelDirectory(ModelDirectory.grouped)
        source.add(#""eos_token_id": [2, 262]"#)
        source.extra = [("tokenizer.json", Self.file), ("tokenizer.model", model)]
        let path = try source.write(files, "both")
        let imported = try HuggingFaceImport(directory: path)
        #expect(imported.tokenizer == .init(name: "tokenizer.model", bytes: model))
        // The other file has tokens that this one does not know.
        #expect(imported.notes.count == 1 && imported.notes[0].hasPrefix("2 added tokens are not known"))
        let reader = try checkpoint(imported)
        #expect(reader.index.withheldTokens.isEmpty)
        #expect(try export(reader).isEmpty)
        try expectSame(path)
        // Named by the user, the other file is the tokenizer, and both stay.
        let named = try HuggingFaceImport(directory: path, tokenizer: Self.record(Self.end))
        #expect(named.tokenizer == Self.record(Self.end) && !named.notes.contains { $0.contains("not carried") })
        #expect(try export(checkpoint(named)).isEmpty)
        try expectSame(path)
    }

    /// Llama 3's tokenizer.model is a vocabulary of tiktoken; its tokenizer.json is used.
    @Test func tiktokensVocabularyIsPassedOver() throws {
        let source = try directory(
            nil, ["tokenizer.model": "IQ== 0\nIg== 1\n", "tokenizer_config.json": #"{"eos_token": "<|end|>"}"#])
        let imported = try HuggingFaceImport(directory: source)
        #expect(imported.tokenizer == Self.record(Self.end) && imported.notes.isEmpty, "\(imported.notes)")
        #expect(try export(checkpoint(imported)).isEmpty)
        try expectSame(source)
    }

    // MARK: - Files that an export makes

    /// A run's own checkpoint carries nothing: the tokenizer comes out under its usual name, with its end token.
    @Test func aRunsTokenizerIsWritten() throws {
        let model = ModelDirectory.grouped
        let store = CheckpointStore(directory: files.path("store"))
        let temporary = try store.begin(step: 1)
        let count = model.tensorTable.count
        let shards = try writeShards(in: temporary, layout: [[0..<count]], values: Values(count: count))
        var index = makeIndex(step: 1, model: model, shards: shards)
        index.tokenizer = Self.record(Self.end, name: "mine.json")
        #expect(try export(load(try store.complete(temporary, index: index))).isEmpty)
        #expect(
            try names(in: files.path("out")) == [
                "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
            ])
        #expect(try bytes(of: files.path("out/tokenizer.json")) == Self.file)
        #expect(try tree("out/config.json")["eos_token_id"] == .integer(262))
        #expect(try tree("out/config.json")["bos_token_id"] == .null)
        #expect(try tree("out/generation_config.json")["eos_token_id"] == .integer(262))
        let settings = try tree("out/tokenizer_config.json")
        #expect(settings["eos_token"] == .string("<|end|>") && settings["model_max_length"] == .integer(128))
        let back = try HuggingFaceImport(directory: files.path("out"))
        #expect(back.tokenizer == Self.record(Self.end) && back.notes.isEmpty, "\(back.notes)")
    }

    /// In place of a tokenizer's files that do not stay, its end is written, unless the directory has another.
    @Test func aGivenTokenizersEndIsWrittenWhereTheListBeginsWithIt() throws {
        for (ends, text) in [("[262, 5]", JSONTree.string("<|end|>")), ("[5, 262]", .null)] {
            let source = try directory("\"eos_token_id\": \(ends)", ["vocab.json": "{}"], tokenizer: nil)
            let imported = try HuggingFaceImport(directory: source, tokenizer: Self.record(Self.end))
            #expect(imported.notes.contains { $0.hasSuffix("is none of these files: vocab.json") }, "\(imported.notes)")
            let reader = try checkpoint(imported)
            #expect(reader.index.withheldTokens == (text == .null ? [.end] : []))
            #expect(try export(reader).isEmpty)
            #expect(try bytes(of: files.path("out/tokenizer.json")) == Self.file)
            #expect(try bytes(of: files.path("out/config.json")) == bytes(of: source + "/config.json"))
            #expect(try tree("out/tokenizer_config.json")["eos_token"] == text)
        }
    }

    // MARK: - Mistakes

    @Test func mistakesAreNamed() throws {
        func failure(_ directory: String, _ endToken: String = "") throws -> HuggingFaceError {
            let error = try #require(throws: HuggingFaceError.self) {
                try HuggingFaceImport(directory: directory, endToken: endToken)
            }
            #expect(error.kind == .badTokenizer && error.file == directory + "/tokenizer.json", "\(error)")
            return error
        }
        let source = try directory()
        #expect(try failure(source, "<x>").description.contains("--end-token: the end token \"<x>\" is no token"))
        #expect(try failure(source, "260").description.contains("--end-token: the end token 260 is no id"))
        let small = try failure(directory(model: .small, name: "small"))
        #expect(small.description.contains("it has 265 ids, more than the model's vocab_size 40"), "\(small)")
        var file = HandmadeTokenizerFile()
        file.modelType = "WordPiece"
        let other = try directory(tokenizer: file.bytes, name: "other")
        #expect(try failure(other, "262").description.contains("the model WordPiece is not supported"))
        // Without the user's word it is a model without tokenizer here.
        let none = try HuggingFaceImport(directory: other)
        #expect(none.tokenizer == .init(name: "none"))
        #expect(none.notes.contains { $0.contains("the model WordPiece is not supported") }, "\(none.notes)")
        _ = try export(checkpoint(none))
        try expectSame(other)
    }
}
