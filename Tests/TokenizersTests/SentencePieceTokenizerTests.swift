// SentencePieceTokenizerTests - SentencePiece models as tokenizers: documents, end tokens, bytes of tokens, mistakes.

import DataFixtures
import Foundation
import SentencePieceText
import TestSupport
import Testing
import InputFiles

@testable import TokenData
@testable import Tokenizers

@Suite struct SentencePieceTokenizerTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    /// The pieces of `HandmadeModel` that the tests use: bytes at 3 + byte, then aa, _a, aaa, _aé, aé, _, a, é.
    private func tokenizer(_ model: HandmadeModel = HandmadeModel()) throws -> SentencePieceTokenizer {
        try SentencePieceTokenizer(modelBytes: model.bytes, name: "hand.model", origin: "here/hand.model")
    }

    @Test func aFileIsUsedAsItIs() throws {
        let model = HandmadeModel().bytes
        let path = try directory.write("hand.model", model)
        let tokenizer = try makeTokenizer(path)
        #expect(tokenizer.name == "hand.model" && tokenizer.kind == "sentencepiece" && tokenizer.modelBytes == model)
        #expect(tokenizer.size == 267 && tokenizer.endToken == 2 && !tokenizer.splitsAnywhere)
        // "_aé" is one piece, " b" a blank and a byte; no begin token.
        #expect(try tokenizer.encode(Array("aé b".utf8)) == [262, 264, 3 + 0x62])
        #expect(tokenizer.decode([262, 264, 3 + 0x62]) == Array("aé b".utf8))
        // Ids out of range and the end token add nothing.
        #expect(tokenizer.decode([-1, 262, 2, 267, 9999]) == Array("aé".utf8))
        #expect(try tokenizer.encode([]).isEmpty && tokenizer.decode([]).isEmpty)
        // A tokenizer from a checkpoint gives equal ids.
        let stored = try CheckpointTokenizer(
            name: tokenizer.name, modelBytes: tokenizer.modelBytes, origin: "step-1"
        ).required(by: "")
        #expect(stored.name == "hand.model" && stored.size == 267 && stored.modelBytes == model)
        #expect(try CheckpointTokenizer(name: "bytes", modelBytes: [], origin: "step-1").tokenizer?.size == 257)
    }

    /// Text generated token by token is the text of all tokens. Only a document's own bytes count.
    @Test func bytesOfTokensMakeTheText() throws {
        let tokenizer = try tokenizer()
        for text in ["aé a\n b\u{1F600}", " aa", "", "aaa aaa", "\n\na\0"] {
            try expectBytesOfTokens(of: Array(text.utf8), by: tokenizer)
        }
        // A blank between words is a byte of the text. The one in front of a document is none.
        #expect(tokenizer.bytes(of: 260, after: 265) == Array(" a".utf8))
        #expect(tokenizer.bytes(of: 260, after: 2) == Array("a".utf8))
        #expect(tokenizer.bytes(of: 2, after: 260).isEmpty && tokenizer.bytes(of: 267, after: 2).isEmpty)
        // Unknown ids give the library's text for them.
        #expect(tokenizer.bytes(of: 0, after: 265) == tokenizer.decode([0]))
        #expect(tokenizer.bytes(of: 0, after: 265) == Array(" \u{2047} ".utf8))
    }

    /// Texts of any length and their ids, made once for all numbers of threads.
    private struct Documents {
        let lines: String
        let ids: [Int32]
        /// All texts as one.
        let whole: String
        let wholeIds: [Int32]

        static let made = Result { try Documents() }

        init() throws {
            let processor = try SentencePieceProcessor(modelBytes: HandmadeModel().bytes)
            var generator = SeededGenerator(seed: 8)
            let words = ["a", "aa", "é", "aaa é", "b\n", "\n\n", " ", "aé"]
            let texts = (0..<440).map { number in
                // Documents of all sizes: empty, longer than a part, longer than the bytes that wait at a time, and
                // many short ones.
                let count = number == 7 ? 450_000 : number < 40 && number % 9 == 0 ? 50_000 : number % 5 * 3
                return (0..<count).map { _ in words[Int(generator.next() % UInt64(words.count))] }.joined()
            }
            lines = try texts.map { "{\"text\": \(String(decoding: try JSONEncoder().encode($0), as: UTF8.self))}\n" }
                .joined()
            ids = try texts.flatMap { try processor.encode(Array($0.utf8)) + [2] }
            whole = texts.joined(separator: "\n")
            wholeIds = try processor.encode(Array(whole.utf8)) + [2]
        }
    }

    /// Each document of a file is encoded whole and ended, on any number of threads.
    @Test(arguments: [1, 2, 5])
    func documentsOfFiles(threads: Int) throws {
        let documents = try Documents.made.get()
        let path = try directory.write("hand.model", HandmadeModel().bytes)
        func tokens(_ name: String, _ text: String) throws -> [Int32] {
            let configuration = DataConfiguration(
                tokenizer: path, train: [.init(name: "a", path: try directory.write(name, text))], sequenceLength: 1)
            let source = try loadDomains(
                configuration, vocabularySize: 300, purpose: .training, threads: threads)[0].source
            let tokens = try covered(source)
            #expect(source.tokenCount == tokens.count)
            return tokens
        }
        #expect(try tokens("a.jsonl", documents.lines) == documents.ids)
        // A .txt file is one document.
        #expect(try tokens("a.txt", documents.whole) == documents.wholeIds)
    }

    /// Ids and hashes by Python's sentencepiece 0.1.97 and hashlib: each document encoded, and id 2 behind it.
    @Test(
        .enabled(if: SharedData.path("llama-tokenizer.model") != nil, "the shared data are not here"),
        arguments: GoldenTokens.all)
    func fourDomainsHaveSentencePiecesIds(golden: GoldenTokens) throws {
        let configuration = DataConfiguration(
            tokenizer: try #require(SharedData.path("llama-tokenizer.model")),
            train: [.init(name: "a", path: try #require(SharedData.path(golden.file)))], sequenceLength: 1024)
        let domains = try loadDomains(configuration, vocabularySize: 32_000, purpose: .training, threads: 2)
        #expect(domains[0].source.tokenCount == golden.tokens)
        #expect(try domains[0].source.fingerprint == golden.hash)
    }

    /// The error names the file's format and a remedy, also for a tokenizer from a checkpoint.
    @Test func otherFilesAreNamed() throws {
        for (name, text, problem, remedy) in [
            (
                "lfs.model", "version https://git-lfs.github.com/spec/v1\nsize 9\n", "this is a Git LFS pointer",
                "git lfs pull"
            ),
            ("llama3.model", "IQ== 0\nIg== 1\n", "this is a vocabulary of tiktoken", "prepared token files"),
            ("tokenizer.model", "{\"model\": {}}", "this is JSON", "prepared token files"),
        ] {
            let path = try directory.write(name, text)
            let error = try #require(throws: DataError.self) { try makeTokenizer(path, key: "--tokenizer") }
            #expect(error.key == "--tokenizer" && error.file == path, "\(error)")
            #expect(error.problem.hasPrefix(problem) && error.remedy.contains(remedy), "\(error)")
        }
    }

    @Test func mistakesNameTheFile() throws {
        func failure(_ name: String, _ bytes: [UInt8]) throws -> DataError {
            let path = try directory.write(name, bytes)
            let error = try #require(throws: DataError.self) { try makeTokenizer(path) }
            #expect(error.key == "data.tokenizer" && error.file == path && !error.remedy.isEmpty)
            return error
        }
        let whole = HandmadeModel().bytes
        #expect(try failure("a.model", []).problem == "the file is empty")
        #expect(try failure("b.model", Array("text".utf8)).problem.contains("no SentencePiece model"))
        #expect(try failure("c.model", Array(whole.dropLast(30))).problem.contains("SentencePiece model"))
        var endless = HandmadeModel()
        // The library knows the end token by its text.
        endless.pieces[2].text = "</x>"
        let noEnd = try failure("d.model", endless.bytes)
        #expect(noEnd.problem.contains("no end token (eos") && noEnd.remedy.contains("data.tokenizer: none"))
        let missing = try #require(throws: DataError.self) { try makeTokenizer("no/such.model") }
        #expect(missing.description.hasPrefix("data.tokenizer: no/such.model: there is no such file"))
        let folder = try #require(throws: DataError.self) { try makeTokenizer("x.model/") }
        #expect(folder.description.contains("allowed: bytes, or the path of a SentencePiece model"))
        // The model of a checkpoint.
        let stored = try #require(throws: DataError.self) {
            try CheckpointTokenizer(name: "t.model", modelBytes: [1, 2, 3], origin: "run/step-00000001")
        }
        #expect(stored.file == "run/step-00000001")
    }

    /// Prepared data need no end token. The error comes only where text is read.
    @Test func aCheckpointMayHaveNoneThatReadsText() throws {
        let none = try CheckpointTokenizer(name: "none", modelBytes: [], origin: "c")
        #expect(none.tokenizer == nil)
        var error = try #require(throws: DataError.self) { try none.required(by: "--prompt") }
        #expect(error.description.hasPrefix("--prompt: c: the checkpoint has no tokenizer; "))
        var endless = HandmadeModel()
        endless.pieces[2].text = "</x>"
        let noEnd = try CheckpointTokenizer(name: "e.model", modelBytes: endless.bytes, origin: "c")
        #expect(noEnd.tokenizer == nil)
        error = try #require(throws: DataError.self) { try noEnd.required(by: "--tasks") }
        let start = "--tasks: c: the model's tokenizer, e.model, has no end token (eos, \"</s>\")"
        #expect(error.description.hasPrefix(start), "\(error)")
        #expect(!error.remedy.contains("tokenizer train") && error.remedy.contains("import"))
    }

    /// Lines need no end token to be encoded and decoded; documents do.
    @Test func aModelWithoutEndTokenEncodesLines() throws {
        var endless = HandmadeModel()
        endless.pieces[2].text = "</x>"
        let path = try directory.write("e.model", endless.bytes)
        let tokenizer = try makeTokenizer(path, key: "--tokenizer", needsEnd: false)
        #expect(try tokenizer.encode(Array("aé b".utf8)) == [262, 264, 3 + 0x62])
        #expect(tokenizer.decode([262, 264, 3 + 0x62]) == Array("aé b".utf8) && tokenizer.endToken == -1)
        #expect(throws: DataError.self) { try makeTokenizer(path, key: "--tokenizer") }
        let whole = try directory.write("w.model", HandmadeModel().bytes)
        #expect(try makeTokenizer(whole, needsEnd: false).endToken == 2)
    }

    @Test func theVocabularyMustHoldTheModel() throws {
        let path = try directory.write("hand.model", HandmadeModel().bytes)
        let text = try directory.write("a.txt", "some text")
        let configuration = DataConfiguration(
            tokenizer: path, train: [.init(name: "a", path: text)], sequenceLength: 4)
        let error = try #require(throws: DataError.self) {
            try loadDomains(configuration, vocabularySize: 266, purpose: .training)
        }
        #expect(error.key == "model.vocab_size" && error.remedy == "allowed: 267 or more")
        #expect(try loadDomains(configuration, vocabularySize: 267, purpose: .training).count == 1)
    }
}

/// A file of the shared data and its tokens.
struct GoldenTokens: Sendable, CustomTestStringConvertible {
    let file: String
    let tokens: Int
    let hash: String

    var testDescription: String { file }

    static let all = [
        GoldenTokens(
            file: "validation.jsonl.zst", tokens: 262_929,
            hash: "0e9251ac3aee2633ee61adab1468d3293bdb7129b45c87aef57f67c76b81c9e4"),
        GoldenTokens(
            file: "tinyshakespeare-validation.txt", tokens: 38_580,
            hash: "c38102d970acc7b77aee9d4d89767f077521e3c96776239d540ae5cf83797918"),
        GoldenTokens(
            file: "tinyshakespeare-train.txt", tokens: 330_055,
            hash: "1770d0f843c7f66ad75a95873666b0e1aa03ca9a0689d8f96771564639b98633"),
        GoldenTokens(
            file: "train-00.jsonl.zst", tokens: 2_448_724,
            hash: "352a9306dd96db6eebc5abd63a0a4620cce6427b61d09e715d52d9e73827cc01"),
        GoldenTokens(
            file: "train-01.jsonl.zst", tokens: 2_513_989,
            hash: "dca35dcc43e44de5e024d314c748d4207c917700c8cbbac9a74c7241d7a19c0d"),
    ]
}
