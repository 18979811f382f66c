// ForeignContentTests - files with the name of a text and other content are named by their format.

import DataFixtures
import Foundation
import Testing
import InputFiles

@testable import TokenData

@Suite struct ForeignContentTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private static func tar() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 1024)
        bytes.replaceSubrange(0..<5, with: "a.txt".utf8)
        bytes.replaceSubrange(257..<263, with: Array("ustar\0".utf8))
        return bytes
    }

    private static func wide(_ text: String, _ bytesOfUnit: (UInt16) -> [UInt8]) -> [UInt8] {
        text.utf16.flatMap(bytesOfUnit)
    }

    /// Bytes of a file; the problem; a part of the remedy.
    static let foreign: [(String, [UInt8], String, String)] = [
        ("a.jsonl", [0x1F, 0x8B, 8, 0, 0, 0], "gzip data", "gzip -dc "),
        ("a.jsonl.zst", [0x1F, 0x8B, 8, 0, 0, 0], "gzip data", "NEW.jsonl"),
        ("a.txt", [0x1F, 0x8B, 8, 0, 0, 0], "gzip data", "NEW.txt"),
        ("a.txt", Array("BZh91AY&SY".utf8), "bzip2 data", "bzip2 -dc"),
        ("a.jsonl", [0xFD] + Array("7zXZ\0\0".utf8), "xz data", "xz -dc"),
        ("a.jsonl", [0x04, 0x22, 0x4D, 0x18, 1], "lz4 data", "lz4 -dc"),
        ("a.jsonl", [0x28, 0xB5, 0x2F, 0xFD, 1], "zstd data", "name it .jsonl.zst"),
        ("a.jsonl", Array("PK\u{3}\u{4}..".utf8), "zip archive", "unpack"),
        ("a.txt", tar(), "tar archive", "unpack"),
        ("a.jsonl", Array("PAR1\0\0....PAR1".utf8), "Parquet file", "name it .parquet"),
        ("a.jsonl", Array("ARROW1\0\0..".utf8), "Arrow file", "to_json"),
        ("a.jsonl", [0xFF, 0xFF, 0xFF, 0xFF, 0x10, 0, 0, 0], "Arrow file", "to_json"),
        ("a.txt", [0x89] + Array("HDF\r\n\u{1A}\n".utf8), "HDF5 file", "the text itself"),
        ("a.txt", [0x93] + Array("NUMPY\u{1}\0".utf8), "NumPy array", "the text itself"),
        ("a.txt", IndexedDataset.magic, "index of prepared data", "without .idx"),
        (
            "a.jsonl", Array("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n".utf8),
            "Git LFS pointer", "git lfs pull"
        ),
        ("a.txt", [0xFF, 0xFE] + wide("text") { [UInt8($0), 0] }, "UTF-16", "iconv -f UTF-16 -t"),
        ("a.txt", wide("some text") { [UInt8($0), 0] }, "UTF-16", "iconv -f UTF-16LE -t"),
        ("a.txt", wide("some text") { [0, UInt8($0)] }, "UTF-16", "iconv -f UTF-16BE -t"),
        ("a.jsonl", [0xFF, 0xFE, 0, 0, 65, 0, 0, 0], "UTF-32", "iconv -f UTF-32 -t"),
        ("a.txt", wide("some text") { [UInt8($0), 0, 0, 0] }, "UTF-32", "iconv -f UTF-32LE -t"),
        ("a.txt", wide("some text") { [0, 0, 0, UInt8($0)] }, "UTF-32", "iconv -f UTF-32BE -t"),
        ("a.jsonl.zst", Array(" {\"text\": 1}".utf8), "not compressed", "name it .jsonl"),
        ("a.parquet", Array("PAR1\0\0....".utf8), "no Parquet file, or only its beginning", "copy or download"),
        ("a.parquet", [0x1F, 0x8B, 8, 0, 0, 0], "gzip data", "gzip -dc "),
    ]

    @Test(arguments: foreign)
    func isNamed(name: String, bytes: [UInt8], problem: String, remedy: String) throws {
        let path = try directory.write(name, bytes)
        let found = try #require(try ForeignContent(path: path))
        #expect(found.problem.contains(problem) && found.remedy.contains(remedy), "\(found)")
        // Training and evaluation refuse the file unless any bytes are text.
        guard !name.hasSuffix(".txt"), !name.hasSuffix(".parquet") else { return }
        let error = try #require(throws: DataError.self) { try load(path, sequenceLength: 1) }
        #expect(error.file == path && error.problem == found.problem)
    }

    /// Texts that begin as other files do, in other encodings, or with zero bytes.
    @Test(
        arguments: [
            ("a.txt", Array("PAR1 is a magic number".utf8)), ("a.txt", Array("BZh9 is another".utf8)),
            ("a.txt", Array("GGUF is of models".utf8)), ("a.txt", Array("Schöne Grüße".utf8)),
            ("a.txt", [0x47, 0x72, 0xFC, 0xDF, 0x65]),
            ("a.txt", [0, 1, 2, 0, 4, 5, 6, 0, 8]),
            ("a.txt", Array("a\0b".utf8)), ("a.jsonl", Array("{\"text\": \"\"}".utf8)),
            ("a.jsonl", Array("\u{FEFF}{}".utf8)),
            ("a.jsonl.zst", [0x28, 0xB5, 0x2F, 0xFD]), ("a.jsonl.zst", [0x50, 0x2A, 0x4D, 0x18]), ("a.txt", []),
            ("a.txt", [UInt8](String(repeating: "version https://git-lfs.github.com/spec/v1 ", count: 30).utf8)),
        ] as [(String, [UInt8])])
    func textIsText(name: String, bytes: [UInt8]) throws {
        #expect(try ForeignContent(path: try directory.write(name, bytes)) == nil)
    }

    @Test func whatIsNoFileIsNothing() throws {
        #expect(try ForeignContent(path: directory.path("absent.txt")) == nil)
        #expect(try ForeignContent(path: directory.url.path) == nil)
    }
}
