// LineCutsTests - parts of long texts have the ids of the whole. Models that look across lines are not cut.

import Foundation
import TestSupport
import Testing

@testable import SentencePieceText

@Suite struct LineCutsTests {
    private func joined(
        _ processor: SentencePieceProcessor, _ text: [UInt8], _ parts: [Range<Int>]
    ) throws -> [Int32] {
        try parts.flatMap { try processor.encode(text, part: $0) }
    }

    @Test(arguments: GoldenModel.names.filter { $0 != "unigram" })
    func partsHaveTheIdsOfTheWhole(name: String) throws {
        let processor = try GoldenModel.load(name).processor()
        #expect(processor.canCutTexts)
        for seed in 0..<40 as Range<UInt64> {
            let text = mixedText(seed: seed, count: 400)
            let whole = try processor.encode(text)
            for length in [1, 7, 100] {
                let parts = processor.parts(of: text, length: length)
                #expect(parts.count > 3)
                #expect(try joined(processor, text, parts) == whole, "seed \(seed), parts of \(length)")
            }
        }
    }

    /// The texts that the tests of training read, in parts of a few lines.
    @Test(.enabled(if: SharedData.path(GoldenModel.llama) != nil, "the shared data are not here"))
    func llamasPartsOfRealText() throws {
        let path = try #require(SharedData.path("tinyshakespeare-validation.txt"))
        let text = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        let processor = try GoldenModel.load("llama").processor()
        let whole = try processor.encode(text)
        // As Python's sentencepiece counts them.
        #expect(whole.count == 38_579)
        for length in [50, 3000] {
            #expect(try joined(processor, text, processor.parts(of: text, length: length)) == whole)
        }
    }

    /// Parts follow one another without a hole, and begin with line feeds.
    @Test func partsAreTheText() {
        let text = mixedText(seed: 1, count: 3000)
        for length in [1, 64, 5000, 1 << 20] {
            let parts = LineCuts.parts(of: text, length: length)
            #expect(parts.first?.lowerBound == 0 && parts.last?.upperBound == text.count)
            #expect(zip(parts, parts.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
            #expect(parts.dropFirst().allSatisfy { text[$0.lowerBound] == 0x0A })
            #expect(parts.dropLast().allSatisfy { $0.count >= length })
        }
        #expect(LineCuts.parts(of: [], length: 1) == [0..<0])
        #expect(LineCuts.parts(of: [0x0A], length: 1) == [0..<1])
    }

    /// The control: a model with a piece across a line feed gives other ids if its text is cut.
    @Test func aPieceAcrossALineFeedForbidsCuts() throws {
        var model = HandmadeModel()
        model.pieces += [("\n", -8, 1), ("a\n", -9, 1)]
        let processor = try SentencePieceProcessor(modelBytes: model.bytes)
        #expect(!processor.canCutTexts)
        let text = Array("aé\na\naaa\n".utf8)
        #expect(processor.parts(of: text) == [0..<text.count])
        let forced = try LineCuts.parts(of: text, length: 1).map { Array(text[$0]) }.flatMap { part in
            let ids = try processor.encode(part)
            return part.first == 0x0A ? Array(ids.dropFirst()) : ids
        }
        #expect(try forced != processor.encode(text))
    }

    @Test func onlyModelsThatMeetEveryConditionAreCutFor() throws {
        func canCut(_ change: (inout HandmadeModel) -> Void) throws -> Bool {
            var model = HandmadeModel()
            change(&model)
            return LineCuts(try SentencePieceModel(model.bytes)) != nil
        }
        #expect(try canCut { _ in })
        // A line feed at the start of a piece joins nothing before it.
        #expect(try canCut { $0.pieces += [("\na", -9, 1)] })
        // As LLaMA's runs of blanks.
        #expect(try canCut { $0.pieces += [("b", -1, 1)] })
        #expect(try !canCut { $0.modelType = 1 })
        #expect(try !canCut { $0.pieces += [("aé\n", -9, 1)] })
        #expect(try !canCut { $0.pieces += [("b", -9, 5)] })
        #expect(try !canCut { $0.pieces += [("b", -9, 4)] })
        #expect(try !canCut { $0.pieces += [("b", .nan, 1)] })
        #expect(try !canCut { $0.pieces[40].kind = 5 })
        // Blanks removed; characters replaced; no piece for the blank in front.
        #expect(try !canCut { $0.normalizer = [0x18, 1, 0x20, 1] })
        #expect(try !canCut { $0.normalizer = [0x12, 1, 7, 0x18, 1, 0x20, 0] })
        #expect(try !canCut { $0.pieces[264].text = "c" })
        // Without a blank in front no such piece is needed.
        #expect(
            try canCut {
                $0.pieces[264].text = "c"
                $0.normalizer = [0x18, 0, 0x20, 0, 0x28, 1]
            })
    }

    @Test func withoutABlankInFrontNothingIsDropped() throws {
        var model = HandmadeModel()
        model.normalizer = [0x12, 0, 0x18, 0, 0x20, 0, 0x28, 1]
        let processor = try SentencePieceProcessor(modelBytes: model.bytes)
        let text = mixedText(seed: 9, count: 500)
        let parts = processor.parts(of: text, length: 5)
        #expect(parts.count > 10)
        #expect(try joined(processor, text, parts) == processor.encode(text))
    }
}
