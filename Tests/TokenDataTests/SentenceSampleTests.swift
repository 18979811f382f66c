// SentenceSampleTests - the lines that a tokenizer learns from.

import DataFixtures
import Testing
import InputFiles

@testable import TokenData

@Suite struct SentenceSampleTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func lines(_ sample: SentenceSample) -> [String] {
        sample.sentences.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func linesOfAllFormats() throws {
        let text = try directory.write("a.txt", "one\r\n\n  two \nhas \u{2585}\nthree")
        let documents = try directory.write("b.jsonl", "{\"text\": \"four\\nfive\"}\n{\"text\": \"six\"}\n")
        var sample = SentenceSample(limit: 0, seed: 0)
        try sample.add(path: text)
        try sample.add(path: documents)
        #expect(lines(sample) == ["one", "  two ", "three", "four", "five", "six"])
        #expect(sample.lineCount == 6 && sample.skipped.count == 1)
        #expect(sample.skipped.examples.map { "\($0.file ?? ""):\($0.line ?? 0)" } == ["\(text):4"])
        #expect(sample.byteCount == "one\r\n\n  two \nhas \u{2585}\nthreefour\nfivesix".utf8.count)
        let error = try #require(throws: DataError.self) { try sample.add(path: "a.csv") }
        #expect(
            error.description.contains(
                "allowed: .txt, .jsonl, .json, .ndjson (each also with .zst or .gz) and .parquet"))
    }

    /// Malformed lines are counted and left out, or end the reading, as in `prepare`.
    @Test func malformedLinesAreCountedWithTheirPlaces() throws {
        let latin = try directory.write(
            "l.txt", [UInt8]("one\ntwo\n\nGr".utf8) + [0xFC, 0xDF] + [UInt8]("e\nthree".utf8))
        let lines = try directory.write(
            "b.jsonl", "{\"text\": \"four\"}\nnonsense\n{\"content\": 1}\n{\"text\": \"five\"}")
        let empty = try directory.write("e.txt", "")
        let wide = try directory.write("w.txt", [0xFF, 0xFE] + "wide".utf16.flatMap { [UInt8($0), 0] })
        var sample = SentenceSample(limit: 0, seed: 0)
        for file in [latin, lines, empty, wide] { try sample.add(path: file) }
        #expect(self.lines(sample) == ["one", "two", "three", "four", "five"])
        #expect(
            sample.skipped.examples.map { "\($0.file ?? ""):\($0.line ?? 0)" }
                == ["\(latin):4", "\(lines):2", "\(lines):3", "\(empty):0", "\(wide):0"])
        #expect(
            sample.skipped.reasons.map(\.problem) == [
                "the line is not valid UTF-8", "the line is not valid JSON", "the object has no \"text\"",
                "the file is empty", "the text is UTF-16, not UTF-8",
            ])
        #expect(
            sample.skipped.examples.prefix(2).map(\.problem) == [
                "the line is not valid UTF-8: byte 0xFC at column 3", "the line is not valid JSON: at column 2",
            ])
        for (file, line) in [(latin, 4), (lines, 2), (empty, nil), (wide, nil)] as [(String, Int?)] {
            var strict = SentenceSample(limit: 0, seed: 0, skipsMalformed: false)
            let error = try #require(throws: DataError.self) { try strict.add(path: file) }
            #expect(error.file == file && error.line == line, "\(error)")
        }
        // Lines of later pieces have their numbers too.
        let word = String(repeating: "word ", count: 200) + "\n"
        let long = [UInt8](String(repeating: word, count: 5000).utf8) + [0xFF, 0x0A, 0xFE]
        var late = SentenceSample(limit: 1, seed: 0)
        try late.add(path: try directory.write("long.txt", long))
        #expect(late.skipped.examples.map(\.line) == [5001, 5002] && late.lineCount == 5000)
    }

    /// A file is read in pieces, and its lines stay whole.
    @Test func longFilesKeepTheirLines() throws {
        let expected = (0..<900_000).map { "line \($0)" }
        let path = try directory.write("a.txt", expected.joined(separator: "\n"))
        var sample = SentenceSample(limit: 0, seed: 0)
        try sample.add(path: path)
        #expect(lines(sample) == expected)
    }

    /// Characters of three bytes, more than are learned from at a time, without an end of line: none is cut.
    @Test func aTextWithoutLineFeedsIsCutBetweenCharacters() throws {
        let text = String(repeating: "語", count: 1_500_000)
        let path = try directory.write("a.txt", text)
        var sample = SentenceSample(limit: 0, seed: 0, skipsMalformed: false)
        try sample.add(path: path)
        #expect(sample.skipped.count == 0 && sample.sentences.flatMap(\.self) == Array(text.utf8))
        // Columns count from the start of the line, which is far before the cut.
        let bad = try directory.write("b.txt", Array(text.utf8) + [0xFF])
        let error = try #require(throws: DataError.self) { try sample.add(path: bad) }
        #expect(error.line == 1 && error.problem == "the line is not valid UTF-8: byte 0xFF at column 1500001")
    }

    @Test func textsAreCutBehindLines() {
        func cut(_ text: String) -> Int { SentenceSample.cut(Array(text.utf8)) }
        #expect(cut("ab\ncd") == 3 && cut("ab\rcd") == 3 && cut("ab\r\ncd") == 4 && cut("ab\n") == 3)
        // An end of line at the start is an end of line.
        #expect(cut("\nabc") == 1 && cut("\n") == 1)
        #expect(cut("one two three") == 7 && cut(" one") == 3 && cut("aé") == 1 && cut("a") == 1)
        #expect(SentenceSample.cut([0x61, 0xE8, 0xAA]) == 1)
        // No character starts there.
        #expect(SentenceSample.cut([UInt8](repeating: 0x80, count: 9)) == 9)
    }

    /// Each line is equally likely among 100 of 1,000. 200 seeds choose a line 20 +- 4.2 times (standard deviation of
    /// 200 draws at 0.1). No line of 1,000 should be five deviations away.
    @Test func theChoiceIsEven() throws {
        var uses = [Int](repeating: 0, count: 1000)
        for seed in 0..<200 as Range<UInt64> {
            var sample = SentenceSample(limit: 100, seed: seed)
            for number in 0..<1000 { try sample.add(document: Array("\(number)".utf8)) }
            #expect(sample.sentences.count == 100 && sample.lineCount == 1000 && Set(lines(sample)).count == 100)
            for line in lines(sample) { uses[try #require(Int(line))] += 1 }
        }
        #expect(uses.reduce(0, +) == 20_000)
        #expect(uses.allSatisfy { abs($0 - 20) < 22 }, "\(uses.min() ?? 0) to \(uses.max() ?? 0)")
        // The first and the last hundred are not favoured: 2,000 uses each, 43 the standard deviation.
        #expect(abs(uses.prefix(100).reduce(0, +) - 2000) < 215 && abs(uses.suffix(100).reduce(0, +) - 2000) < 215)
    }

    @Test func longLinesAreCutAtBlanks() {
        func parts(_ text: String, _ limit: Int) -> [String] {
            SentenceSample.parts(of: Array(text.utf8)[...], limit: limit).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(parts("one two three", 20) == ["one two three"])
        #expect(parts("one two three", 8) == ["one two", " three"])
        #expect(parts("one two three", 7) == ["one two", " three"])
        #expect(parts("one two three", 6) == ["one", " two", " three"])
        // No blank: between characters, which have three bytes here.
        #expect(parts("日本語の文章", 7) == ["日本", "語の", "文章"])
        // A line without the start of a character is cut at the limit, and nothing is lost.
        let bytes = [UInt8](repeating: 0x80, count: 10)
        #expect(SentenceSample.parts(of: bytes[...], limit: 4).map(\.count) == [4, 4, 2])
    }
}
