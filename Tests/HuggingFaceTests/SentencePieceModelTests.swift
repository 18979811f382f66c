// SentencePieceModelTests - tokenizer.model: looked into, passed on as it is, and said in the words of tokenizer.json.

import CheckpointFixtures
import Checkpointing
import JSONReading
import SentencePieceText
import TestSupport
import Testing

@testable import HuggingFace

private typealias Model = HandmadeModel

@Suite struct SentencePieceModelTests {
    private let files: TemporaryFiles
    init() throws { files = try TemporaryFiles() }

    private func read(_ model: Model) throws -> SentencePieceModel { try SentencePieceModel(model.bytes, file: "m") }

    @Test func fieldsAreRead() throws {
        let model = try read(Model())
        #expect(model.pieces.count == 267 && model.pieces[264].text == [0xE2, 0x96, 0x81])
        #expect(model.pieces[260] == .init(text: [0xE2, 0x96, 0x81, 0x61], score: -1, kind: .normal))
        #expect(model.pieces[0].kind == .unknown && model.pieces[2].kind == .control && model.pieces[3].kind == .byte)
        #expect(model.special == SpecialTokens(begin: 1, end: 2, padding: nil, unknown: 0))
        #expect(model.mergesPairs && model.addsBlank && !model.changesText)
        // Without the trainer's and the normalizer's settings: the format's defaults.
        let bare = try SentencePieceModel([0x0A, 3, 0x0A, 1, 0x61], file: "m")
        #expect(bare.pieces == [.init(text: [0x61], score: 0, kind: .normal)])
        #expect(bare.special == SpecialTokens(unknown: 0) && !bare.mergesPairs && bare.changesText)
    }

    @Test func damageIsFound() throws {
        let whole = Model().bytes
        for count in 0..<whole.count {
            // A cut between two fields leaves a model with fewer pieces; any other is found.
            if let model = try? SentencePieceModel(Array(whole.prefix(count)), file: "") {
                #expect((1...267).contains(model.pieces.count))
            }
        }
        for bytes in [[], [0xFF], [0x0A, 200, 1], [0x0B], Array("not a model".utf8)] as [[UInt8]] {
            let error = try #require(throws: HuggingFaceError.self) { try SentencePieceModel(bytes, file: "") }
            #expect(error.kind == .badTokenizer)
        }
        var random = SeededGenerator(seed: 1)
        for _ in 0..<300 {
            var bytes = whole
            random.damage(&bytes)
            _ = try? SentencePieceModel(bytes, file: "").tokenizerJSON
        }
    }

    /// Better pieces first; of one piece, the longer left part first; never inside a character.
    @Test func mergesFollowTheScores() throws {
        let text = try #require(read(Model()).tokenizerJSON)
        let tree = try JSONTree(text, file: "tokenizer.json")
        guard case .array(let merges) = tree["model"]?["merges"] else {
            Issue.record("there are no merges")
            return
        }
        #expect(
            merges == [
                .string("a a"), .string("\u{2581} a"), .string("aa a"), .string("a aa"), .string("\u{2581}a é"),
                .string("\u{2581} aé"), .string("a é"),
            ])
        #expect(tree["model"]?["vocab"]?["\u{2581}aé"] == .integer(262))
        #expect(tree["model"]?["vocab"]?["<0x0A>"] == .integer(13))
        guard case .array(let added) = tree["added_tokens"] else {
            Issue.record("there are no added tokens")
            return
        }
        #expect(added.map { $0["content"] } == [.string("<unk>"), .string("<s>"), .string("</s>")])
    }

    /// A model that the format cannot follow exactly gets no tokenizer.json.
    @Test func otherModelsAreNotConverted() throws {
        let changes: [(inout Model) -> Void] = [
            { $0.modelType = 1 },
            { $0.normalizer = [0x12, 1, 0, 0x18, 1, 0x20, 0, 0x28, 1] },
            { $0.normalizer = [0x18, 1, 0x20, 1, 0x28, 1] },
            { $0.normalizer = [0x18, 1, 0x20, 0, 0x28, 0] },
            { $0.pieces.remove(at: 5) },
            { $0.pieces[260].kind = 4 },
            { $0.pieces[260].text = "a" },
            { $0.pieces[0].kind = 1 },
            { $0.pieces[260].kind = 5 },
            // A piece with a character that is none: SentencePiece makes it of unknown characters.
            { $0.pieces[266].text = "x" },
            // Equal scores, of which SentencePiece takes the leftmost.
            { $0.pieces[263].score = -2 },
            { $0.pieces[259].score = .nan },
            { $0.blanksBehind = true },
            { $0.pieces[261].text = "a a" },
        ]
        for (number, change) in changes.enumerated() {
            var model = Model()
            change(&model)
            let isConverted = try read(model).tokenizerJSON != nil
            // Blanks can be removed in the format's words. Whether <unk> counts as unknown is for its id to say, not for
            // its kind.
            #expect(isConverted == [2, 7].contains(number), "change \(number)")
        }
        var model = Model()
        model.normalizer = [0x18, 0, 0x20, 0]
        let tree = try JSONTree(try #require(read(model).tokenizerJSON), file: "")
        guard case .array(let steps) = tree["normalizer"]?["normalizers"] else {
            Issue.record("there is no normalizer")
            return
        }
        #expect(steps.count == 1)
    }

    /// Runs of one character may have equal scores, if all other merges come before them and make no such run.
    @Test func runsOfOneScoreAreConverted() throws {
        let runs = (2...5).map { (String(repeating: "\u{2581}", count: $0), Float(-1e9), UInt8(1)) }
        func isConverted(_ change: (inout Model) -> Void) throws -> Bool {
            var model = Model()
            model.pieces += runs
            change(&model)
            return try read(model).tokenizerJSON != nil
        }
        #expect(try isConverted { _ in })
        #expect(try !isConverted { $0.pieces.remove(at: 268) })
        #expect(try !isConverted { $0.pieces[260].score = -2e9 })
        #expect(try !isConverted { $0.pieces[260].text = "\u{2581}\u{2581}a" })
        #expect(try !isConverted { $0.pieces.append(("éé", -1e9, 1)) })
    }

    /// The library's cuts of random texts with random models, and those by the ranks that are exported.
    @Test func ranksOfPairsGiveTheLibrarysCuts() throws {
        var random = SeededGenerator(seed: 7)
        for number in 0..<60 {
            var model = Model()
            let letters = ["a", "b", "c"].prefix(1 + number % 3)
            model.pieces.removeLast(8)
            var pieces: Set<String> = []
            for _ in 0..<(2 + random.index(below: 7)) {
                pieces.insert((0..<(2 + random.index(below: 5))).map { _ in random.pick(Array(letters)) }.joined())
            }
            model.pieces += pieces.sorted().shuffled(using: &random).enumerated().map {
                ($0.element, -Float($0.offset), 1)
            }
            model.pieces += (letters + ["\u{2581}"]).map { ($0, Float(-100), 1) }
            let tree = try JSONTree(try #require(read(model).tokenizerJSON), file: "")
            guard case .array(let list) = tree["model"]?["merges"] else { return }
            var ranks: [String: Int] = [:]
            for (rank, merge) in list.enumerated() { ranks[try #require(merge.string)] = rank }
            let processor = try SentencePieceProcessor(modelBytes: model.bytes)
            for _ in 0..<20 {
                let text = (0..<(1 + random.index(below: 16))).map { _ in random.pick(Array(letters)) }.joined()
                var symbols = ["\u{2581}"] + text.map(String.init)
                while true {
                    let found = (0..<(symbols.count - 1)).compactMap { (place: Int) -> (rank: Int, place: Int)? in
                        let rank: Int? = ranks["\(symbols[place]) \(symbols[place + 1])"]
                        return rank.map { (rank: $0, place: place) }
                    }
                    guard let best = found.min(by: { ($0.rank, $0.place) < ($1.rank, $1.place) }) else { break }
                    let joined = symbols[best.place] + symbols[best.place + 1]
                    symbols.replaceSubrange(best.place...(best.place + 1), with: [joined])
                }
                let cuts = try processor.pieces(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
                #expect(cuts == symbols, "\(model.pieces.dropFirst(259)): \(text)")
            }
        }
    }

    /// LLaMA's own model; the numbers are those of transformers' conversion, which gives the same list.
    @Test(.enabled(if: SharedData.path("llama-tokenizer.model") != nil, "the shared data are not here"))
    func llamaIsConverted() throws {
        let path = try #require(SharedData.path("llama-tokenizer.model"))
        let text = try #require(SentencePieceModel(try bytes(of: path), file: path).tokenizerJSON)
        let model = try JSONTree(text, file: "tokenizer.json")["model"]
        guard case .array(let merges) = model?["merges"], case .object(let vocabulary) = model?["vocab"] else {
            Issue.record("there are no merges")
            return
        }
        #expect(vocabulary.count == 32_000 && merges.count == 61_249)
        #expect(merges.prefix(3) == [.string("\u{2581} t"), .string("e r"), .string("i n")])
        // Pieces of 2 to 16 blanks, all of one score, cut in 1 + ... + 15 ways: the longest left part first.
        let blanks = merges.filter { merge in
            guard case .string(let pair) = merge else { return false }
            return pair.allSatisfy { $0 == "\u{2581}" || $0 == " " }
        }
        let longest = String(repeating: "\u{2581}", count: 15)
        #expect(blanks.count == 120 && blanks.first == .string(longest + " \u{2581}"))
        #expect(blanks.last == .string("\u{2581} \u{2581}"))
    }

    @Test func modelGoesAlongAsItIs() throws {
        for isConverted in [true, false] {
            var content = Model()
            if !isConverted { content.modelType = 1 }
            var directory = ModelDirectory(ModelDirectory.grouped)
            directory.extra = [("tokenizer.model", content.bytes)]
            let name = "\(isConverted)"
            let imported = try HuggingFaceImport(directory: try directory.write(files, "in" + name))
            #expect(imported.tokenizer == .init(name: "tokenizer.model", bytes: content.bytes))
            #expect(imported.notes.isEmpty)
            let path = try imported.write(to: files.path("checkpoints" + name), processor: "", blas: "")
            let output = files.path("out" + name)
            let notes = try HuggingFaceExport(load(path)).write(to: output)
            #expect(notes.isEmpty == isConverted)
            #expect(try bytes(of: output + "/tokenizer.model") == content.bytes)
            #expect(try names(in: output).contains("tokenizer.json") == isConverted)
            let settings = try JSONTree(bytes(of: output + "/tokenizer_config.json"), file: "")
            #expect(settings["eos_token"] == .string("</s>") && settings["bos_token"] == .string("<s>"))
            #expect(settings["pad_token"] == .null && settings["add_bos_token"] == .boolean(false))
            // LlamaTokenizer would convert any model as if it were LLaMA's.
            let kind = isConverted ? "PreTrainedTokenizerFast" : "SentencePieceBackend"
            #expect(settings["tokenizer_class"] == .string(kind))
            let generation = try bytes(of: output + "/generation_config.json")
            #expect(generation == Array("{\n  \"bos_token_id\": 1,\n  \"eos_token_id\": 2\n}\n".utf8))
        }
        // More pieces than the model has tokens.
        var directory = ModelDirectory(.small)
        directory.extra = [("tokenizer.model", Model().bytes)]
        let path = try directory.write(files, "small")
        let error = try #require(throws: HuggingFaceError.self) { try HuggingFaceImport(directory: path) }
        #expect(error.kind == .badTokenizer && error.message.contains("267"))
    }
}
