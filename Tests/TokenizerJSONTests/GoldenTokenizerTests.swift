// GoldenTokenizerTests - ids and texts of the Python package tokenizers; make_golden.py wrote them.

import Foundation
import Testing

@testable import TokenizerJSON

/// A `tokenizer.json`, and texts with their ids and decoded texts.
struct GoldenTokenizer: Decodable {
    struct Case: Decodable {
        let text: String
        let ids: [Int32]
        /// Nil: the text.
        let decoded: String?
        /// Without special tokens; nil: `decoded`.
        let skipped: String?
    }

    let tokenizer: String
    let cases: [Case]

    static func load(_ name: String) throws -> GoldenTokenizer {
        let url = try #require(Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Golden"))
        return try JSONDecoder().decode(GoldenTokenizer.self, from: Data(contentsOf: url))
    }
}

@Suite struct GoldenTokenizerTests {
    @Test(arguments: ["gpt2", "llama3", "qwen2", "smollm", "llama2", "unigram", "added", "prefixed"])
    func idsAndTextsAreTheLibrarys(name: String) throws {
        let golden = try GoldenTokenizer.load(name)
        let tokenizer = try TokenizerPipeline(reading: Array(golden.tokenizer.utf8))
        #expect(golden.cases.count > 80)
        // Twice: the second time words come from the cache.
        for _ in 0..<2 {
            for golden in golden.cases {
                #expect(try tokenizer.encode(Array(golden.text.utf8)) == golden.ids, "\(golden.text.debugDescription)")
            }
        }
        for golden in golden.cases {
            let decoded = golden.decoded ?? golden.text
            #expect(try tokenizer.decode(golden.ids) == Array(decoded.utf8))
            #expect(
                try tokenizer.decode(golden.ids, skipsSpecialTokens: true) == Array((golden.skipped ?? decoded).utf8))
        }
    }

    @Test func theTemplateAddsItsTokensWhereAsked() throws {
        let golden = try GoldenTokenizer.load("llama2")
        let tokenizer = try TokenizerPipeline(reading: Array(golden.tokenizer.utf8))
        let ids = try tokenizer.encode(Array("the word".utf8))
        #expect(try tokenizer.encode(Array("the word".utf8), addsSpecialTokens: true) == [1] + ids)
        #expect(tokenizer.leadingTokens == [1])
        let plain = try TokenizerPipeline(reading: Array(GoldenTokenizer.load("gpt2").tokenizer.utf8))
        #expect(plain.leadingTokens == [])
    }

    /// The tokens before a text are those that the whole post-processor adds there.
    @Test func leadingTokensAreTheOnesBeforeTheText() throws {
        let begin = PostProcessor.template([.tokens([7, 8]), .text, .tokens([9])])
        let outer = PostProcessor.template([.tokens([5]), .text])
        for (processor, leading) in [
            (begin, [7, 8]), (.byteLevel, []), (.template([.text, .tokens([9])]), []), (.template([.text]), []),
            (.sequence([.byteLevel, begin]), [7, 8]), (.sequence([begin, .byteLevel, outer]), [5, 7, 8]),
            (.sequence([]), []), (.template([.tokens([7]), .tokens([8]), .text]), [7, 8]),
        ] as [(PostProcessor, [Int32])] {
            #expect(processor.leadingTokens == leading)
            #expect(processor.adding(to: [100]).prefix { $0 != 100 } == leading[...])
        }
    }

    @Test func bytesOfTokensMakeTheText() throws {
        for name in ["gpt2", "llama2"] {
            let tokenizer = try TokenizerPipeline(reading: Array(GoldenTokenizer.load(name).tokenizer.utf8))
            let text = Array("the é 中 word's\n".utf8)
            var (bytes, previous): ([UInt8], Int32?) = ([], nil)
            for id in try tokenizer.encode(text) {
                bytes += tokenizer.bytes(of: id, after: previous)
                previous = id
            }
            #expect(bytes == text, "\(name)")
        }
    }

    @Test func eachByteThatIsNoUTF8IsReadAsTheReplacementCharacter() throws {
        let tokenizer = try TokenizerPipeline(reading: Array(GoldenTokenizer.load("gpt2").tokenizer.utf8))
        let broken: [UInt8] = [0x61, 0xFF, 0xED, 0xA0, 0x80, 0xE2, 0x82, 0x62]
        let repaired = Array("a\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}b".utf8)
        #expect(try tokenizer.encode(broken) == tokenizer.encode(repaired))
    }
}
