// TextFileTests - texts become documents, documents become tokens.

import DataFixtures
import Foundation
import Testing
import Tokenizers
import InputFiles

@testable import TokenData

@Suite struct TextFileTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func ids(_ documents: String...) -> [Int32] { documents.flatMap { $0.utf8.map { Int32($0) } + [256] } }

    @Test func aTextIsOneDocument() throws {
        let source = try load(try directory.write("a.txt", "two\nlines\r\n"), sequenceLength: 1)
        #expect(try covered(source) == ids("two\nlines\r\n"))
        #expect(source.tokenCount == 12 && source.sequenceCount == 11)
    }

    /// A text is read in pieces of a mebibyte; the seams must not show.
    @Test func aLongTextIsReadWhole() throws {
        let text = (0..<(3 << 20) + 17).map { UInt8(truncatingIfNeeded: $0 &* 131 >> 3) }
        let source = try load(try directory.write("a.txt", text), sequenceLength: 64)
        #expect(source.tokenCount == text.count + 1)
        let expected = text.map { Int32($0) } + [256]
        #expect(try covered(source) == Array(expected[...(source.sequenceCount * 64)]))
    }

    @Test func aLineIsOneDocument() throws {
        let lines = """
            {"text": "one"}
            {"meta": {"text": "not this", "n": [1, 2.5e3, null, true]}, "text": "tw\\u00f6 \\n \\ud83d\\ude00"}

              \t
            {"text": ""}
            {"text":"last, without a line end"}
            """
        let expected = ids("one", "tw\u{F6} \n \u{1F600}", "", "last, without a line end")
        #expect(try covered(try load(try directory.write("a.jsonl", lines), sequenceLength: 1)) == expected)
        let windows = lines.replacing("\n", with: "\r\n")
        #expect(try covered(try load(try directory.write("b.jsonl", windows), sequenceLength: 1)) == expected)
        #expect(
            try covered(try load(try directory.write("c.jsonl", "\u{FEFF}" + lines), sequenceLength: 1)) == expected)
    }

    /// Lines far longer and chunks far shorter than each other.
    @Test func linesMayCrossChunks() throws {
        let texts = (0..<40).map { String(repeating: "\($0) ", count: 1 << ($0 % 19)) }
        let lines = texts.map { "{\"text\": \"\($0)\"}\n" }.joined()
        #expect(lines.utf8.count > 2 << 20)
        let source = try load(try directory.write("a.jsonl", lines), sequenceLength: 1)
        #expect(try covered(source) == texts.flatMap { $0.utf8.map { Int32($0) } + [256] })
    }

    @Test(arguments: [
        ("{\"text\": \"a\"}\n{\"text\": \"b\"", ":2: the line is not valid JSON: it ends too early; "),
        (
            "{\"text\": \"a\"}\n{\"text\": \"b\", \"meta\": {\"é\": NaN}}\n",
            ":2: the line is not valid JSON: NaN at column 29; "
        ),
        ("{\"text\": \"a\"}\n\nnonsense\n", ":3: the line is not valid JSON"),
        ("{\"text\": \"a\"} {\"text\": \"b\"}\n", ":1: the line is not valid JSON"),
        ("{\"txt\": \"a\"}\n", ":1: the object has no \"text\""),
        ("{\"text\": 3}\n", ":1: \"text\" is not a string"),
        ("{\"text\": [\"a\"]}\n", ":1: \"text\" is not a string"),
        ("{\"text\": null}\n", ":1: \"text\" is null"),
        ("[\"text\"]\n", ":1: the line is no JSON object"),
        ("\"text\"\n", ":1: the line is no JSON object"),
        ("null\n", ":1: the line is no JSON object"),
        ("{\"text\": \"a\u{0}b\"}\n", ":1: the line is not valid JSON: it holds a zero byte"),
        ("{\"text\": \"\\ud800\"}\n", ":1: the line is not valid JSON"),
    ])
    func aBadLineIsNamed(content: String, problem: String) throws {
        let path = try directory.write("bad.jsonl", content)
        let error = try #require(throws: DataError.self) { try load(path) }
        #expect(error.description.hasPrefix("data.train[0].path: \(path)\(problem)"), "\(error)")
        #expect(error.remedy == "each line must be a JSON object with a string \"text\"")
    }

    @Test func invalidUTF8IsNamed() throws {
        let path = try directory.write(
            "a.jsonl", Array("{\"text\": \"ok\"}\n{\"text\": \"".utf8) + [0xFF] + Array("\"}".utf8))
        let error = try #require(throws: DataError.self) { try load(path) }
        #expect(error.line == 2 && error.problem == "the line is not valid UTF-8: byte 0xFF at column 11")
    }

    /// {"text": "hello"}, compressed with a checksum; then cut short and with a flipped bit.
    @Test func compressedLinesAreReadAndChecked() throws {
        let frame = Array(try #require(Data(base64Encoded: "KLUv/SQSkQAAeyJ0ZXh0IjogImhlbGxvIn0KsqzCsg==")))
        let path = try directory.write("a.jsonl.zst", frame)
        #expect(try covered(try load(path, sequenceLength: 1)) == ids("hello"))

        let cut = try directory.write("b.jsonl.zst", Array(frame.dropLast(5)))
        let truncated = try #require(throws: DataError.self) { try load(cut) }
        #expect(truncated.description.hasPrefix("data.train[0].path: \(cut): truncated"))

        var altered = frame
        altered[12] ^= 4
        let corrupt = try directory.write("c.jsonl.zst", altered)
        let error = try #require(throws: DataError.self) { try load(corrupt) }
        #expect(error.problem.contains("byte"))
    }

    @Test(.enabled(if: hasSharedData, "the shared texts are not part of the repository"))
    func realTextsAreReadWhole() throws {
        let lines = try load(sharedData.appending(component: "validation.jsonl.zst").path, sequenceLength: 128)
        // Counted and hashed with Python's json and hashlib.
        #expect(lines.tokenCount == 852_647)
        #expect(try lines.fingerprint == "11710e81658ef6d495b53a95157f14c86eaaa4c7f25dd2959129759a0cb3ed29")
        let text = try load(sharedData.appending(component: "tinyshakespeare-validation.txt").path, sequenceLength: 64)
        #expect(text.tokenCount == 111_541 && text.sequenceCount == 1742)
        #expect(try text.fingerprint == "51e2fd0957f76c05883de8f04220d9d8fd690a9cca6af5b952661fc9bf24a85e")
    }
}

@Suite struct TokenizerTests {
    @Test func bytesAreTheirOwnIds() throws {
        let tokenizer = try makeTokenizer("bytes")
        #expect(tokenizer.name == "bytes" && tokenizer.size == 257 && tokenizer.endToken == 256)
        let all = (0...255).map { UInt8($0) }
        #expect(try tokenizer.encode(all) == (0...255).map { Int32($0) })
        #expect(tokenizer.decode([104, 256, 105, -1, 999]) == Array("hi".utf8))
        #expect(tokenizer.modelBytes.isEmpty)
    }

    @Test func otherTokenizersAreRefused() throws {
        let error = try #require(throws: DataError.self) { try makeTokenizer("byte") }
        #expect(error.key == "data.tokenizer" && error.problem == "\"byte\" is no tokenizer")
        #expect(
            error.remedy == "allowed: bytes, or the path of a SentencePiece model, which ends in .model, or of a "
                + "tokenizer.json, which ends in .json, or of a directory with tokenizer.model or tokenizer.json")
    }

    @Test(arguments: [(65536, true), (65537, false)])
    func idsTakeTwoBytesWhereTheyCan(vocabularySize: Int, twoBytes: Bool) throws {
        var store = TokenStore(vocabularySize: vocabularySize)
        let ids: [Int32] = [0, 65535, 7]
        store.append(ids)
        store.append([Int32(vocabularySize - 1)])
        #expect(store.usesTwoBytes == twoBytes)
        #expect(try store.tokens(in: 1..<4) == [65535, 7, Int32(vocabularySize - 1)])
    }
}
