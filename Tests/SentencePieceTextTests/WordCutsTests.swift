// WordCutsTests - words that are remembered have the ids that they have in the whole text.

import TestSupport
import Testing

@testable import SentencePieceText

@Suite struct WordCutsTests {
    /// Few words in any order, between all kinds of blanks, so that most are met again.
    private func repetitiveText(seed: UInt64, count: Int) -> [UInt8] {
        let words: [[UInt8]] = [
            Array("the".utf8), Array("a".utf8), Array("\n".utf8), Array("\n\n".utf8), Array("x=1".utf8),
            Array("\t".utf8),
            Array("\u{2581}".utf8), Array("\u{2581}\u{2581}the".utf8), Array("Stra\u{DF}e".utf8),
            Array("\u{1F600}".utf8), [0xFF],
            [0xE2], [0xE2, 0x96], [0], Array(repeating: UInt8(ascii: "q"), count: 40), [],
        ]
        var random = SeededGenerator(seed: seed)
        var text: [UInt8] = []
        for _ in 0..<count {
            text += words[Int(random.next() % UInt64(words.count))]
            text += [UInt8](repeating: UInt8(ascii: " "), count: [0, 1, 1, 1, 2, 5][Int(random.next() % 6)])
        }
        return text
    }

    @Test(arguments: GoldenModel.names.filter { $0 != "unigram" })
    func wordsHaveTheIdsOfTheWhole(name: String) throws {
        let processor = try GoldenModel.load(name).processor()
        #expect(processor.wordCache != nil)
        for seed in 0..<60 as Range<UInt64> {
            let text = repetitiveText(seed: seed, count: 300)
            let whole = try processor.encode(text)
            // The second time all words are known.
            for turn in 1...2 {
                #expect(try processor.idsByWords(text, 0..<text.count) == whole, "seed \(seed), turn \(turn)")
            }
            let middle = 37..<(text.count - 11)
            #expect(try processor.idsByWords(text, middle) == processor.ids(text, middle), "seed \(seed)")
        }
        for text in ["", " ", "  ", "a", " a", "a ", "a  ", "\u{2581} a", "a\u{2581} b", "\n a"].map({ Array($0.utf8) })
        {
            #expect(try processor.idsByWords(text, 0..<text.count) == processor.encode(text), "\(text)")
        }
    }

    /// More words than are remembered at a time.
    @Test func manyWords() throws {
        let processor = try GoldenModel.load("bpe").processor()
        let text = Array((0..<200_000).map { "w\($0 * 7919 % 180_001)" }.joined(separator: " ").utf8)
        #expect(try processor.idsByWords(text, 0..<text.count) == processor.encode(text))
    }

    @Test func wordsEndBeforeBlanksThatFollowSomethingElse() {
        func words(_ text: String) -> [String] {
            let bytes = Array(text.utf8)
            var (start, words): (Int, [String]) = (0, [])
            while start < bytes.count {
                let end = WordCuts.wordEnd(in: bytes, from: start, to: bytes.count)
                words.append(String(decoding: bytes[start..<end], as: UTF8.self))
                start = end
            }
            return words
        }
        #expect(words("a b  cd\n e ") == ["a", " b", "  cd\n", " e", " "])
        // U+2581 is a blank to the model, and blanks join.
        #expect(words("a\u{2581} b c") == ["a\u{2581} b", " c"])
        #expect(words("  a") == ["  a"])
    }

    /// The control: with a piece across a blank, cut words have other ids.
    @Test func aPieceAcrossABlankForbidsCuts() throws {
        var model = HandmadeModel()
        model.pieces += [("a\u{2581}", 1, 1)]
        let processor = try SentencePieceProcessor(modelBytes: model.bytes)
        #expect(processor.canCutTexts && processor.wordCache == nil)
        let text = Array("a a".utf8)
        let apart = try processor.encode(Array("a".utf8)) + processor.encode(Array("a".utf8))
        #expect(try processor.encode(text) != apart)
        #expect(try processor.idsByWords(text, 0..<text.count) == processor.encode(text))
        // A mark at the start of a piece joins nothing before it.
        var harmless = HandmadeModel()
        harmless.pieces += [("\u{2581}\u{2581}a", -9, 1)]
        #expect(try SentencePieceProcessor(modelBytes: harmless.bytes).wordCache != nil)
        // Without a blank in front a word could not be taken for itself.
        var bare = HandmadeModel()
        bare.normalizer = [0x12, 0, 0x18, 0, 0x20, 0, 0x28, 1]
        #expect(try SentencePieceProcessor(modelBytes: bare.bytes).wordCache == nil)
    }
}
