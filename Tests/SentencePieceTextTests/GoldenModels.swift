// GoldenModels - ids and pieces of awkward texts by Python's sentencepiece; make_golden.py wrote them.

import Foundation
import TestSupport
import Testing

@testable import SentencePieceText

/// A model, its special ids, and texts with their ids and decoded texts.
struct GoldenModel: Decodable, CustomTestStringConvertible {
    struct Case: Decodable {
        let text: Data
        let ids: [Int32]
        let decoded: Data
    }

    let pieces: Int
    let unknown: Int32
    let begin: Int32
    let end: Int32
    let padding: Int32
    let cases: [Case]
    /// The `.model` file; nil for LLaMA's, which is not the project's.
    let model: Data?

    var testDescription: String { "\(pieces) pieces" }

    /// Models of the golden files, and LLaMA's if it is present.
    static let names = ["bpe", "unigram"] + (SharedData.path(llama) == nil ? [] : ["llama"])
    static let llama = "llama-tokenizer.model"

    static func load(_ name: String) throws -> GoldenModel {
        let url = try #require(Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Golden"))
        return try JSONDecoder().decode(GoldenModel.self, from: Data(contentsOf: url))
    }

    func modelBytes() throws -> [UInt8] {
        if let model { return Array(model) }
        let path = try #require(SharedData.path(Self.llama))
        return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    func processor() throws -> SentencePieceProcessor { try SentencePieceProcessor(modelBytes: modelBytes()) }
}

/// A text of some kilobytes: lines, blanks, runs of line feeds, many scripts, bytes that are no UTF-8.
func mixedText(seed: UInt64, count: Int) -> [UInt8] {
    let parts: [[UInt8]] =
        [
            "\n", "\n\n", "\n\n\n  ", " ", "  ", "\t", "\r\n", "ship", "the sea", " lantern", "café", "日本語", "слово",
            "42", "x", "\0",
            "\u{2581}", "\u{2581}\n", "a\n", "\u{1F600}", "aa", "aaa", "\u{2581}aé",
        ].map { Array($0.utf8) } + [[0xFF], [0xE2, 0x96], [0xE2, 0x96, 0x0A], [0xC3]]
    var generator = SeededGenerator(seed: seed)
    return (0..<count).flatMap { _ in parts[Int(generator.next() % UInt64(parts.count))] }
}
