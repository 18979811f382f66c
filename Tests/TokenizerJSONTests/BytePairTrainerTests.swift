// BytePairTrainerTests - merges that are learned from texts, and the file that holds them.

import Testing

@testable import TokenizerJSON

@Suite struct BytePairTrainerTests {
    private func file(_ texts: [String], size: Int) throws -> [UInt8] {
        var trainer = try BytePairTrainer()
        for text in texts { try trainer.add(count: 1, threads: 1) { _ in Array(text.utf8) } }
        return trainer.file(vocabularySize: size)
    }

    @Test func theMostFrequentPairsAreMergedFirst() throws {
        // "ab" three times, then "abc" twice; nothing else occurs twice.
        let tokenizer = try TokenizerPipeline(reading: file(["abc", "abc", "abd"], size: 300))
        #expect(tokenizer.size == 259)
        #expect(tokenizer.piece(256) == Array("ab".utf8) && tokenizer.piece(257) == Array("abc".utf8))
        #expect(tokenizer.id(of: BytePairTrainer.endText) == 258)
        #expect(try tokenizer.encode(Array("abcabd é".utf8)) == [257, 256, 0x64, 0x20, 0xC3, 0xA9])
    }

    @Test func equalTextsInAnyOrderGiveEqualFiles() throws {
        let texts = ["the theory of the thing", "that is this, 12345!\n", "é中 the"]
        let once = try file(texts, size: 270)
        #expect(try file(texts.reversed(), size: 270) == once)
        #expect(try file(texts + ["the"], size: 270) != once)
    }

    /// More texts than a thread takes at a time, and more threads than there is work for.
    @Test(arguments: [1, 2, 3, 64])
    func threadsDoNotChangeTheFile(threads: Int) throws {
        let texts = (0..<1000).map { "text \($0 % 37) of \($0 * $0) and \(String(repeating: "ab", count: $0 % 5))\n" }
        let bytes = texts.map { Array($0.utf8) }
        var trainer = try BytePairTrainer()
        try trainer.add(count: 1, threads: 1) { _ in Array("one more".utf8) }
        try trainer.add(count: bytes.count, threads: threads) { bytes[$0] }
        try trainer.add(count: 0, threads: threads) { bytes[$0] }
        #expect(try trainer.file(vocabularySize: 400) == file(["one more"] + texts, size: 400))
        #expect(try file(texts.dropLast(300), size: 400) != file(texts, size: 400))
    }

    @Test func everyTextComesBack() throws {
        let tokenizer = try TokenizerPipeline(reading: file(["aaaa aaaa bbbb", "aaab"], size: 280))
        for text in ["aaaaaaa", "", "\0\u{10FFFF} b\r\n", "  aaab"] {
            #expect(try tokenizer.decode(tokenizer.encode(Array(text.utf8))) == Array(text.utf8))
        }
    }
}
