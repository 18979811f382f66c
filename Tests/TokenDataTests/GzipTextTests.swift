// GzipTextTests - .jsonl.gz and .txt.gz files are read as the files that they were made of, and damage is named.

import DataFixtures
import InputFiles
import TestSupport
import Testing
import Tokenizers

@testable import TokenData

@Suite struct GzipTextTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private static let lines = Array("{\"text\": \"one\"}\n\n{\"text\": \"two\"}\n{\"text\": \"three\"}".utf8)

    private func error(_ name: String, _ content: [UInt8]) throws -> DataError {
        let path = try directory.write(name, content)
        let error = try #require(throws: DataError.self) { try load(path, sequenceLength: 1) }
        #expect(error.key == "data.train[0].path" && error.file == path)
        return error
    }

    /// Members end within lines and within documents, as files that were put one after the other may.
    @Test(arguments: ["a.jsonl", "a.txt"])
    func membersAreOneText(name: String) throws {
        let plain = try load(try directory.write(name, Self.lines), sequenceLength: 1)
        let members = gzipMember(Array(Self.lines[..<20])) + gzipMember([]) + gzipMember(Array(Self.lines[20...]))
        let packed = try load(try directory.write(name + ".gz", members), sequenceLength: 1)
        #expect(try covered(packed) == covered(plain) && packed.fingerprint == plain.fingerprint)
        #expect(plain.tokenCount == (name == "a.txt" ? Self.lines.count + 1 : 14))
    }

    @Test(arguments: ["a.jsonl.gz", "a.txt.gz"])
    func damageIsNamed(name: String) throws {
        let member = gzipMember(Self.lines)
        let cut = try error(name, Array(member.dropLast(3)))
        #expect(
            cut.problem
                == "truncated: the compressed file ends at byte \(member.count - 3) inside a gzip member")
        #expect(cut.remedy == "copy or download the file again")
        var altered = member
        altered[member.count - 5] ^= 1
        #expect(try error(name, altered).problem.hasSuffix(": incorrect data check"))
        let longer = try error(name, member + Array("more".utf8))
        #expect(longer.problem.hasPrefix("trailing bytes: the gzip data end before byte \(member.count)"))
        #expect(try error(name, []).problem == "the file is empty")
    }

    /// Other data under the name of a gzip file, and gzip data under another name.
    @Test func namesAreAdvised() throws {
        let plain = try error("a.jsonl.gz", Self.lines)
        #expect(plain.problem == "this is not compressed: it is JSON as it stands")
        #expect(plain.remedy == "name it .jsonl, or compress it with gzip")
        #expect(try error("b.txt.gz", Array("a text".utf8)).problem.contains("not valid gzip data at byte 2"))
        let frame = try error("c.jsonl.gz", [0x28, 0xB5, 0x2F, 0xFD, 1])
        #expect(frame.problem == "this is zstd data" && frame.remedy.contains("name it .jsonl.zst"))
        let path = directory.path("d.jsonl")
        let packed = try error("d.jsonl", gzipMember(Self.lines))
        #expect(packed.problem == "this is gzip data")
        #expect(
            packed.remedy
                == "decompress it: gzip -dc \(path) > NEW.jsonl, or name it .jsonl.gz if it holds JSON lines")
        let text = try #require(try ForeignContent(path: try directory.write("e.txt", gzipMember(Self.lines))))
        #expect(text.remedy.hasSuffix("NEW.txt, or name it .txt.gz"))
    }

    /// Lines for a tokenizer to learn from.
    @Test(arguments: ["a.jsonl", "a.txt"])
    func samplesAreTheSame(name: String) throws {
        var (plain, packed) = (SentenceSample(limit: 0, seed: 1), SentenceSample(limit: 0, seed: 1))
        try plain.add(path: try directory.write(name, Self.lines))
        try packed.add(path: try directory.write(name + ".gz", gzipMember(Self.lines)))
        #expect(plain.sentences == packed.sentences && plain.sentences.count == 3)
    }

    /// How another encoding is converted from a compressed file.
    @Test func theRemedyDecompresses() {
        #expect(InvalidUTF8.remedy("a.txt").hasSuffix(": iconv -f ISO-8859-1 -t UTF-8 a.txt > NEW.txt"))
        #expect(
            InvalidUTF8.remedy("a.txt.gz").hasSuffix(": gzip -dc a.txt.gz | iconv -f ISO-8859-1 -t UTF-8 > NEW.txt"))
    }
}
