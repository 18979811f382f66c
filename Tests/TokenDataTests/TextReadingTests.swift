// TextReadingTests - keys of the text, encodings, separators, and JSON that is no object per line.

import DataFixtures
import Foundation
import InputFiles
import TestSupport
import Testing
import Tokenizers

@testable import TokenData

@Suite struct TextReadingTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func ids(_ documents: String...) -> [Int32] { documents.flatMap { $0.utf8.map { Int32($0) } + [256] } }

    private func tokens(_ path: String, _ reading: TextReading) throws -> [Int32] {
        var domain = DataConfiguration.Domain(name: "only", path: path)
        domain.reading = reading
        let configuration = DataConfiguration(train: [domain], sequenceLength: 1)
        return try covered(loadDomains(configuration, vocabularySize: 257, purpose: .training)[0].source)
    }

    // MARK: Keys

    @Test(arguments: [
        (#"{"content":"a","text":"no"}"#, "content", "a"), (#"{"a":{"b":"x","c":{"b":"no"}}}"#, "a.b", "x"),
        (#"{"a":{"b":{"c":"deep"}}}"#, "a.b.c", "deep"), (#"{"a":{"b":"path"},"a.b":"literal"}"#, "a.b", "literal"),
        (#"{"a.b":"literal","a":{"b":"path"}}"#, "a.b", "literal"), (#"{"a.b":"x"}"#, "a.b", "x"),
        (#"{"a":[{"b":1}],"a":{"b":"x"}}"#, "a.b", "x"), (#"{"\u0061":{"b":"x"}}"#, "a.b", "x"),
        (#"{"meta":{"pile_set_name":"P","body":"x"}}"#, "meta.body", "x"),
    ])
    func keysAreFound(line: String, key: String, text: String) throws {
        let document = try JSONDocument(line: Array(line.utf8), reading: TextReading(textKey: key))
        #expect(String(decoding: document.text, as: UTF8.self) == text)
        #expect(document.domain == (line.contains("pile") ? .named("P") : .absent))
    }

    @Test(arguments: [
        (#"{"text":"x"}"#, "content", #"the object has no "content""#),
        (#"{"a":{"c":"x"}}"#, "a.b", #"the object has no "a.b""#), (#"{"a":"x"}"#, "a.b", #"the object has no "a.b""#),
        (#"{"a":null}"#, "a.b", #""a.b" is null"#), (#"{"a":{"b":null}}"#, "a.b", #""a.b" is null"#),
        (#"{"a":{"b":3}}"#, "a.b", #""a.b" is not a string"#),
        (#"{"a":{"b":"x","b":"x"}}"#, "a.b", #"the object has two "a.b""#),
        (#"{"a":{"b":"\ud800"}}"#, "a.b", #"the line is not valid JSON: "a.b" holds half a surrogate pair"#),
        (#"{"a":{"b":"x"}"#, "a.b", "the line is not valid JSON"),
    ])
    func missingKeysAreNamed(line: String, key: String, words: String) throws {
        let problem = try #require(throws: JSONDocument.Problem.self) {
            try JSONDocument(line: Array(line.utf8), reading: TextReading(textKey: key))
        }
        #expect(problem.words == words)
    }

    @Test func nestingOfAPathHasALimit() {
        let line = String(repeating: "{\"a\":", count: 1 << 18)
        let key = String(repeating: "a.", count: 1 << 18) + "b"
        #expect(throws: JSONDocument.Problem.tooDeep) {
            try JSONDocument(line: Array(line.utf8), reading: TextReading(textKey: key))
        }
    }

    // MARK: Encodings

    /// Every way to cut the bytes in two, and byte by byte.
    private func converted(_ bytes: [UInt8], _ encoding: TextEncoding) -> [UInt8] {
        func convert(_ blocks: [[UInt8]]) -> [UInt8] {
            var transcoder = TextTranscoder(encoding)
            return blocks.flatMap { transcoder.convert($0) } + transcoder.finish()
        }
        let whole = convert([bytes])
        for cut in 0...bytes.count { #expect(convert([Array(bytes[..<cut]), Array(bytes[cut...])]) == whole) }
        #expect(convert(bytes.map { [$0] }) == whole)
        return whole
    }

    private func utf16(_ text: String, isBig: Bool) -> [UInt8] {
        text.utf16.flatMap { isBig ? [UInt8($0 >> 8), UInt8($0 & 255)] : [UInt8($0 & 255), UInt8($0 >> 8)] }
    }

    @Test func encodingsBecomeUTF8() {
        let text = "Grüße \u{7FF}\u{800}\u{FFFD}\u{FFFF} \u{1F600}\u{10FFFF}\u{10000} end\n"
        #expect(converted(Array(text.utf8), .utf8) == Array(text.utf8))
        #expect(converted(utf16(text, isBig: false), .utf16) == Array(text.utf8))
        #expect(converted([0xFF, 0xFE] + utf16(text, isBig: false), .utf16) == Array(text.utf8))
        #expect(converted([0xFE, 0xFF] + utf16(text, isBig: true), .utf16) == Array(text.utf8))
        // A mark counts at the start only.
        #expect(converted(utf16("a\u{FEFF}", isBig: false), .utf16) == Array("a\u{FEFF}".utf8))
        let all = (0...255).map { UInt8($0) }
        #expect(
            String(decoding: converted(all, .latin1), as: UTF8.self).unicodeScalars.map(\.value)
                == all.map { UInt32($0) })
        // Foundation agrees.
        #expect(String(data: Data(all), encoding: .isoLatin1).map { Array($0.utf8) } == converted(all, .latin1))
    }

    @Test(
        arguments: [
            ([0x00, 0xD8], 1), ([0x00, 0xDC], 1), ([0x41], 1), ([0x00, 0xD8, 0x41], 2),
            ([0x00, 0xD8, 0x00, 0xD8, 0x00, 0xDC], 1),
            ([0x00, 0xDC, 0x00, 0xD8], 2),
        ] as [([UInt8], Int)])
    func brokenUnitsAreOneByteEach(bytes: [UInt8], count: Int) {
        let result = converted([0x61, 0] + bytes, .utf16)
        #expect(result.first == 0x61 && InvalidUTF8(in: result).count == count)
        #expect(result.count { $0 == TextTranscoder.broken } == count)
    }

    @Test func filesInOtherEncodingsAreRead() throws {
        let latin = TextReading(encoding: .latin1)
        let wide = TextReading(encoding: .utf16)
        let text = try directory.write("a.txt", [0x47, 0x72, 0xFC, 0xDF, 0x65])
        #expect(try tokens(text, latin) == ids("Grüße"))
        let lines = "{\"text\": \"Grüße\"}\n{\"text\": \"\u{1F600}\"}\n"
        for (name, bytes) in [
            ("b.jsonl", utf16(lines, isBig: false)), ("c.jsonl", [0xFE, 0xFF] + utf16(lines, isBig: true)),
            ("d.json.gz", gzipMember([0xFF, 0xFE] + utf16(lines, isBig: false))),
        ] { #expect(try tokens(try directory.write(name, bytes), wide) == ids("Grüße", "\u{1F600}"), "\(name)") }
        // Without the setting the file is refused, and so is the other order without a mark.
        let some = try directory.write("h.jsonl", utf16("{\"text\": \"Grüße\"}\n", isBig: false))
        let plain = try #require(throws: DataError.self) { try tokens(some, TextReading()) }
        #expect(plain.problem == "the text is UTF-16, not UTF-8" && plain.remedy.contains("--encoding"))
        let big = try directory.write("e.jsonl", utf16(lines, isBig: true))
        #expect(throws: DataError.self) { try tokens(big, wide) }
        // A broken unit is U+FFFD in a text, and a mistake in a line.
        let broken = try directory.write("f.txt", utf16("ab", isBig: false) + [0x00, 0xD8] + utf16("c", isBig: false))
        #expect(try tokens(broken, wide) == ids("ab\u{FFFD}c"))
        let line = utf16("{\"text\": \"ok\"}\n{\"text\": \"", isBig: false) + [0x00, 0xD8] + utf16("\"}", isBig: false)
        let error = try #require(throws: DataError.self) { try tokens(try directory.write("g.jsonl", line), wide) }
        #expect(error.line == 2 && error.problem == "the line is not valid UTF-16: a broken unit at column 11")
    }

    /// One warning for a file, whose line is known for a text that is read whole.
    @Test func brokenUnitsOfAFileAreOneWarning() throws {
        let wide = utf16("a\n|", isBig: false) + [0x00, 0xD8] + utf16("|b", isBig: false) + [0x00, 0xDC, 0x7C, 0x00]
        for (separator, content) in [(nil, "a\n|\u{FFFD}|b\u{FFFD}|"), ("|", "")] {
            var domain = DataConfiguration.Domain(name: "only", path: try directory.write("w.txt", wide))
            domain.reading = TextReading(separator: separator, encoding: .utf16)
            var warnings: [String] = []
            let source = try loadDomains(
                DataConfiguration(train: [domain], sequenceLength: 1), vocabularySize: 257, purpose: .training,
                warn: { warnings.append($0) })[0].source
            let expected = separator == nil ? ids(content) : ids("a\n", "\u{FFFD}", "b\u{FFFD}")
            #expect(try covered(source) == expected)
            #expect(
                warnings == [
                    "\(domain.path): 2 units are not valid UTF-16; each is read as U+FFFD (see whether the text is utf-16, "
                        + "and mend it)"
                ])
        }
    }

    // MARK: Separators and JSON

    @Test func separatorsEndDocuments() throws {
        let mark = "<|endoftext|>"
        let text = "\u{FEFF}one\(mark)\ntwo\n\(mark)\n \r\n\(mark)\(mark)three<|endoftext"
        let reading = TextReading(separator: mark)
        let expected = ids("one", "\ntwo\n", "three<|endoftext")
        #expect(try tokens(try directory.write("a.txt", text), reading) == expected)
        #expect(try tokens(try directory.write("b.TXT.GZ", gzipMember(Array(text.utf8))), reading) == expected)
        // Control: without the setting it is one document.
        #expect(try tokens(directory.path("a.txt"), TextReading()) == ids(text))
        // Lines of JSON have no separator.
        let lines = try directory.write("c.jsonl", "{\"text\": \"a\(mark)b\"}")
        #expect(try tokens(lines, reading) == ids("a\(mark)b"))
        var sample = SentenceSample(limit: 0, seed: 0)
        try sample.add(path: directory.path("a.txt"), reading: reading)
        #expect(sample.sentences.map { String(decoding: $0, as: UTF8.self) } == ["one", "two", "three<|endoftext"])
    }

    @Test func jsonThatIsNoObjectPerLineIsNamed() throws {
        let array = try directory.write("a.json", " \n[\n{\"text\": \"a\"}]")
        let error = try #require(throws: DataError.self) { try tokens(array, TextReading()) }
        #expect(error.problem == "this is one JSON array, not an object per line")
        #expect(error.remedy == "write an object per line: jq -c '.[]' \(array) > NEW.jsonl")
        let packed = try directory.write("b.json.gz", gzipMember(Array("[{}]".utf8)))
        let other = try #require(throws: DataError.self) { try tokens(packed, TextReading()) }
        #expect(other.remedy == "write an object per line: gzip -dc \(packed) | jq -c '.[]' > NEW.jsonl")
        let wide = try directory.write("c.json", "{\n  \"text\": \"a\"\n}\n")
        let lines = try #require(throws: DataError.self) { try tokens(wide, TextReading()) }
        #expect(lines.problem == "this is JSON over several lines, not an object per line")
        for name in ["d.json", "e.ndjson", "f.JSON"] {
            #expect(try tokens(try directory.write(name, "{\"text\": \"a\"}\n"), TextReading()) == ids("a"))
        }
    }

    // MARK: Several files

    @Test func aDomainMayHaveManyFiles() throws {
        try FileManager.default.createDirectory(atPath: directory.path("d/e"), withIntermediateDirectories: true)
        _ = try directory.write("d/b.txt", "b")
        _ = try directory.write("d/a.jsonl", "{\"text\": \"a\"}")
        _ = try directory.write("d/e/c.txt.gz", gzipMember(Array("c".utf8)))
        _ = try directory.write("d/x.parquet", "no text for training")
        let folder = directory.path("d")
        #expect(try tokens(folder, TextReading()) == ids("a", "b", "c"))
        #expect(try tokens(folder + "/*.txt", TextReading()) == ids("b"))
        var domain = DataConfiguration.Domain(name: "only", path: "")
        domain.paths = [folder + "/b.txt", folder + "/e", folder + "/a.*"]
        let configuration = DataConfiguration(train: [domain], sequenceLength: 1)
        let source = try loadDomains(configuration, vocabularySize: 257, purpose: .training)[0].source
        #expect(try covered(source) == ids("b", "c", "a"))
        let table = try #require(throws: DataError.self) { try tokens(folder + "/x.parquet", TextReading()) }
        #expect(table.problem == "training and evaluation read no .parquet file")
        #expect(table.remedy.contains("mile-dist prepare"))
    }
}
