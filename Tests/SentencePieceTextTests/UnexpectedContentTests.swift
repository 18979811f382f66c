// UnexpectedContentTests - the format of a file that is no model, and the remedy.

import TestSupport
import Testing

@testable import SentencePieceText

@Suite struct UnexpectedContentTests {
    private static let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:9e55\nsize 499723\n"
    private static let tiktoken = "IQ== 0\nIg== 1\nIw== 2\nZ2hp 3\n"

    @Test(arguments: [
        (
            Self.pointer, "this is a Git LFS pointer to the file (of 499723 bytes), not a SentencePiece model",
            "git lfs pull"
        ),
        (Self.tiktoken, "this is a vocabulary of tiktoken, as Llama 3 has it, not a", "prepared token files"),
        ("", "the file is empty, not a", "download it again"),
        ("<!DOCTYPE html>\n<html>", "this is a web page, not a", "resolve"),
        ("\n <HTML lang=en>", "this is a web page, not a", "resolve"),
        ("<?xml version=\"1.0\"?><Error>", "this is an XML text", "resolve"),
        ("{\"version\": \"1.0\"}", "this is JSON, not a", "prepared token files"),
        ("GGUF\u{3}\0\0\0", "this is a GGUF file", "prepared token files"),
        ("PK\u{3}\u{4}....", "this is a zip archive", "prepared token files"),
    ])
    func whatIsFoundIsNamed(text: String, problem: String, remedy: String) throws {
        let content = try #require(UnexpectedContent(Array(text.utf8), insteadOf: .sentencePieceModel))
        #expect(content.problem.hasPrefix(problem), "\(content.problem)")
        #expect(content.remedy.contains(remedy), "\(content.remedy)")
        #expect(content.isTiktoken == (text == Self.tiktoken))
        // The reader names the format instead of "no SentencePiece model".
        let error = try #require(throws: SentencePieceError.self) { try SentencePieceModel(Array(text.utf8)) }
        #expect(error.kind == .notAModel && error.message == content.problem && error.remedy == content.remedy)
        #expect(throws: error) { try SentencePieceProcessor(modelBytes: Array(text.utf8)) }
    }

    @Test func binaryFormatsAreNamed() throws {
        for (bytes, words) in [
            ([0x1F, 0x8B, 8], "gzip"), ([0x28, 0xB5, 0x2F, 0xFD], "zstd"), ([0x80, 2, 0x7D], "Python pickle"),
            ([0x89] + Array("HDF\r\n".utf8), "HDF5"),
            ([30, 0, 0, 0, 0, 0, 0, 0] + Array("{\"a\"".utf8), "safetensors"),
        ] as [([UInt8], String)] {
            let content = try #require(UnexpectedContent(bytes, insteadOf: .sentencePieceModel))
            #expect(content.problem.contains(words), "\(content.problem)")
        }
    }

    /// The table serves texts too. Text formats are not named for a model's file.
    @Test func theTableOfFirstBytes() {
        let bzip2 = Array("BZh91AY&SY".utf8)
        for (bytes, format) in [
            (Array("GGUF\u{3}".utf8), .gguf), (bzip2, .bzip2), (Array("ARROW1\0\0".utf8), .arrow),
            ([0x04, 0x22, 0x4D, 0x18], .lz4), ([0x1F, 0x8B, 8], .gzip), ([0x80, 4], .pickle),
            (Array(Self.pointer.utf8), .gitLFSPointer),
        ] as [([UInt8], MagicFormat)] {
            #expect(MagicFormat(bytes) == format)
        }
        // Text may begin so.
        #expect(MagicFormat(Array("BZh9 is a text".utf8)) == nil && MagicFormat(Array("GGU".utf8)) == nil)
        #expect(MagicFormat([]) == nil && MagicFormat([0x80, 6]) == nil)
        let long = Array((Self.pointer + String(repeating: "x", count: 1024)).utf8)
        #expect(MagicFormat(long) == nil)
        #expect(UnexpectedContent(bzip2, insteadOf: .sentencePieceModel) == nil)
    }

    /// Possible content of the expected format is not unexpected. Unknown content stays unnamed.
    @Test func nothingElseIsNamed() throws {
        let json = Array(" {\"a\": 1}".utf8)
        #expect(UnexpectedContent(json, insteadOf: .json) == nil)
        #expect(UnexpectedContent(json, insteadOf: .safetensors)?.problem == "this is JSON, not a safetensors file")
        let safetensors: [UInt8] = [8, 0, 0, 0, 0, 0, 0, 0] + Array("{      }".utf8)
        #expect(UnexpectedContent(safetensors, insteadOf: .safetensors) == nil)
        #expect(UnexpectedContent(HandmadeModel().bytes, insteadOf: .sentencePieceModel) == nil)
        for text in ["IQ== 0", "IQ== 0\nno 1\n", "a b\n", "!!!! 0\n", "\n", "some text", "version 3"] {
            #expect(UnexpectedContent(Array(text.utf8), insteadOf: .sentencePieceModel) == nil, "\(text)")
        }
        // Git LFS takes no file of 1024 bytes for a pointer.
        let long = Array((Self.pointer + String(repeating: "x", count: 1024)).utf8)
        #expect(UnexpectedContent(long, insteadOf: .json) == nil)
    }
}
