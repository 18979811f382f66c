// PreparedTokenizerTests - prepared pairs are read with the tokenizer that made them, as far as anybody wrote that down.

import DataFixtures
import Foundation
import TestSupport
import Testing
import Tokenizers
import InputFiles

@testable import Preparation
@testable import TokenData

@Suite struct PreparedTokenizerTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    /// A model file; another `score` makes another model with equal pieces.
    private func model(_ name: String, score: Float = 0) throws -> any Tokenizer {
        var model = HandmadeModel()
        model.pieces[model.pieces.count - 1].score -= score
        return try makeTokenizer(try directory.write(name, model.bytes))
    }

    /// Prepares a file as `prepare` does; returns PREFIX.
    @discardableResult
    private func prepare(
        _ content: String, as file: String = "a.txt", to output: String, _ tokenizer: any Tokenizer,
        splits: Bool = false
    ) throws -> String {
        let preparation = try Preparation(
            Preparation.Request(
                tokenizer: tokenizer, files: [try directory.write(file, content)], output: directory.path(output),
                splitsDomains: splits, skipsMalformed: false))
        try preparation.makeFolder()
        _ = try preparation.begin(overwrites: true)
        let run = PreparationRun(preparation, rank: 0, rankCount: 1)
        run.start(threads: 1)
        while !run.wait(seconds: 10) {}
        if let failure = run.failure { throw failure.error }
        _ = try preparation.join(chunkCounts: run.chunkCounts(rank: 0, rankCount: 1))
        return directory.path(output)
    }

    private func domains(_ prefixes: [String], _ tokenizer: (any Tokenizer)?) throws -> [TokenDomain] {
        let train = prefixes.enumerated().map { DataConfiguration.Domain(name: "d\($0)", path: $1) }
        return try loadDomains(
            DataConfiguration(train: train, sequenceLength: 2), vocabularySize: 300, purpose: .training,
            tokenizer: tokenizer)
    }

    private func origin(_ prefix: String, _ tokenizer: (any Tokenizer)?) throws -> TokenOrigin {
        try domains([prefix], tokenizer)[0].origin
    }

    @Test func anotherTokenizersPairIsRefused() throws {
        let (own, other) = (try model("own.model"), try model("other.model", score: 1))
        let pair = try prepare("aé aa b", to: "p", own)
        #expect(try origin(pair, own) == .own)
        // The model counts, not its file's name.
        let copy = try makeTokenizer(try directory.write("copy.model", own.modelBytes))
        #expect(try origin(pair, copy) == .own)
        for (tokenizer, name) in [(other, "other.model (SHA-256 "), (ByteTokenizer(), "bytes")] {
            let error = try #require(throws: DataError.self) { try domains([pair], tokenizer) }
            #expect(error.key == "data.train[0].path" && error.file == pair + ".json")
            #expect(error.problem.contains("prepared with the tokenizer own.model (SHA-256 "), "\(error)")
            #expect(error.problem.contains(", data.tokenizer is \(name)"), "\(error)")
        }
        let bytes = try prepare("aé aa b", to: "b", ByteTokenizer())
        #expect(try origin(bytes, ByteTokenizer()) == .own)
        #expect(throws: DataError.self) { try domains([bytes], own) }
        // A checkpoint's tokenizer is in no configuration.
        let error = try #require(throws: DataError.self) {
            try loadDomains(
                DataConfiguration(train: [], validation: [.init(name: "b", path: bytes)], sequenceLength: 2),
                vocabularySize: 300, purpose: .validation, tokenizer: own, settings: .option("--data", .usable(own)))
        }
        #expect(error.key == "--data" && error.problem.contains("the checkpoint's tokenizer is own.model"), "\(error)")
        #expect(!error.description.contains("data.tokenizer"), "\(error)")
    }

    /// A tokenizer.json does not say which token ends documents.
    @Test func anotherEndTokenIsRefused() throws {
        let file = try directory.write(
            "t.json",
            #"{"version":"1.0","model":{"type":"BPE","vocab":{"a":0,"b":1," ":2,"<e>":3,"<f>":4},"merges":[]}}"#)
        let (own, other) = (try makeTokenizer(file, endToken: "<e>"), try makeTokenizer(file, endToken: "<f>"))
        let pair = try prepare("ab a", to: "p", own)
        #expect(try origin(pair, own) == .own)
        let error = try #require(throws: DataError.self) { try domains([pair], other) }
        #expect(
            error.problem.contains("prepared with the tokenizer t.json (SHA-256 ")
                && error.problem.contains(", end token 3), data.tokenizer is t.json (SHA-256 ")
                && error.problem.hasSuffix(", end token 4)"), "\(error)")
        let both = try domains([pair, try prepare("b a", as: "b.txt", to: "q", other)], nil)
        #expect(throws: DataError.self) { try TokenDomain.requireOneTokenizer(both, key: "data") }
        #expect(throws: DataError.self) { try configuredTokenizer("none", endToken: "<e>") }
    }

    /// `--split-domains` writes one summary for all pairs.
    @Test func domainsHaveTheSummaryOfAll() throws {
        let own = try model("own.model")
        let lines = ["Books", "Web-Pages"].map {
            "{\"text\": \"aa aé \($0)\", \"meta\": {\"pile_set_name\": \"\($0)\"}}\n"
        }
        try prepare(lines.joined(), as: "a.jsonl", to: "the-pile", own, splits: true)
        for name in ["the-pile-Books", "the-pile-Web-Pages"] {
            #expect(try origin(directory.path(name), own) == .own)
            #expect(throws: DataError.self) { try domains([directory.path(name)], ByteTokenizer()) }
        }
        // Renamed together with its summary.
        for name in ["the-pile-Books.bin", "the-pile-Books.idx", "the-pile.json"] {
            try FileManager.default.moveItem(
                atPath: directory.path(name), toPath: directory.path(name.replacing("the-pile", with: "new")))
        }
        #expect(try origin(directory.path("new-Books"), own) == .own)
    }

    @Test func pairsThatNobodyWroteAboutAreUnchecked() throws {
        let own = try model("own.model")
        let pair = try prepare("aé aa b", to: "p", own)
        let summary = try directory.read("p.json")
        // A copy of the pair under another name.
        for suffix in [".bin", ".idx"] {
            try FileManager.default.copyItem(atPath: pair + suffix, toPath: directory.path("q" + suffix))
        }
        let copy = directory.path("q")
        #expect(try origin(copy, own) == .unrecorded("there is no \(copy).json"))
        _ = try directory.write("q.json", summary)
        #expect(try origin(copy, own) == .own)
        for text in ["", "{}", "[1]", "{\"tokenizer\": \"bytes\"}"] {
            _ = try directory.write("q.json", text)
            #expect(try origin(copy, ByteTokenizer()) == .unrecorded("\(copy).json is no summary of prepare"))
        }
        // A pair of another origin replaced the prepared one.
        try prepare("aé aa b, and more", to: "other", own)
        for suffix in [".bin", ".idx"] {
            try FileManager.default.removeItem(atPath: pair + suffix)
            try FileManager.default.copyItem(atPath: directory.path("other" + suffix), toPath: pair + suffix)
        }
        #expect(try origin(pair, ByteTokenizer()) == .unrecorded("\(pair).json describes files of other sizes"))
        let all = try domains([pair, copy, directory.path("other")], own)
        let note = try #require(TokenDomain.uncheckedNote(all + all))
        #expect(note.contains("cannot be checked") && note.contains("d0 (\(pair).json describes"), "\(note)")
        #expect(note.contains("d1 (\(copy).json is no") && !note.contains("d2"), "\(note)")
        #expect(note.components(separatedBy: "d0").count == 2, "said once: \(note)")
        #expect(TokenDomain.uncheckedNote(try domains([directory.path("other")], own)) == nil)
    }

    /// A run without tokenizer reads prepared data, of one tokenizer, and no text.
    @Test func withoutTokenizer() throws {
        let (own, other) = (try model("own.model"), try model("other.model", score: 1))
        let pairs = [
            try prepare("aé aa b", to: "p", own), try prepare("aa aa", to: "q", own), try prepare("bb", to: "r", other),
        ]
        let all = try domains(pairs, nil)
        guard case .recorded(let tokenizer, let summary) = all[0].origin else {
            Issue.record("\(all[0].origin)")
            return
        }
        #expect(summary == pairs[0] + ".json" && tokenizer.isSame(as: PreparedTokenizer(own)))
        #expect(!tokenizer.isSame(as: PreparedTokenizer(other)))
        try TokenDomain.requireOneTokenizer(Array(all.prefix(2)), key: "data")
        let error = try #require(throws: DataError.self) { try TokenDomain.requireOneTokenizer(all, key: "data") }
        #expect(error.description.hasPrefix("data: \(pairs[2]).json: d2 was prepared with other.model (SHA-256 "))
        #expect(error.problem.contains("\(pairs[0]).json says own.model (SHA-256 "), "\(error)")
        #expect(TokenDomain.uncheckedNote(all)?.contains("d1 (prepared with own.model (SHA-256 ") == true)
        #expect(TokenDomain.uncheckedNote(all)?.hasSuffix("; their bits per byte are not known") == true)
        let counted = try #require(TokenDomain.uncheckedNote(all, consequence: "the buckets are others"))
        #expect(counted.hasSuffix("; the buckets are others") && !counted.contains("bits per byte"), "\(counted)")

        // A checkpoint may hold a model that this run cannot read text with.
        try TokenDomain.requireTokenizer(Array(all.prefix(2)), name: "m", modelBytes: own.modelBytes, key: "data")
        let foreign = try #require(throws: DataError.self) {
            try TokenDomain.requireTokenizer(all, name: "m.model", modelBytes: own.modelBytes, key: "--data")
        }
        #expect(foreign.key == "--data" && foreign.file == pairs[2] + ".json")
        #expect(foreign.problem.hasPrefix("d2 was prepared with other.model (SHA-256 "), "\(foreign)")
        #expect(foreign.problem.contains(", but the checkpoint's tokenizer is m.model (SHA-256 "), "\(foreign)")

        let text = try #require(throws: DataError.self) { try domains([directory.path("a.txt")], nil) }
        #expect(text.key == "data.train[0].path" && text.problem.contains("data.tokenizer is none"), "\(text)")
        #expect(throws: DataError.self) { try domains(["synthetic:train"], nil) }
        #expect(try configuredTokenizer("none") == nil)
        #expect(try configuredTokenizer("bytes")?.name == "bytes")
        // Nothing to make tokens with.
        #expect(throws: DataError.self) { try makeTokenizer("none", key: "--tokenizer") }
    }
}
