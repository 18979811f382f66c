// TokenizerGoldenTests - exported tokenizers of many kinds: AutoTokenizer's ids are those of training. make_golden.py.

import CheckpointFixtures
import Checkpointing
import Digests
import Foundation
import LlamaModel
import SentencePieceText
import Testing

@testable import HuggingFace

/// What transformers' AutoTokenizer gives with the files that an export writes for small SentencePiece models.
///
/// Python is not needed here: the files must be those that transformers was tried with, to the byte, and the ids that
/// it gave must be the library's.
@Suite struct TokenizerGoldenTests {
    struct Golden: Decodable {
        struct Model: Decodable {
            let `class`: String
            /// SHA-256 by name.
            let files: [String: String]
            let model: Data
            let ids: [[Int32]]
        }
        let texts: [Data]
        let models: [String: Model]
    }

    private static func load() throws -> Golden {
        let url = try #require(
            Bundle.module.url(forResource: "tokenizers", withExtension: "json", subdirectory: "Golden"))
        return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
    }

    private static let model = ModelConfiguration(
        hiddenSize: 4, intermediateSize: 4, hiddenLayerCount: 1, attentionHeadCount: 1, keyValueHeadCount: 1,
        vocabularySize: 512, maxPositionEmbeddings: 2048)

    @Test func exportedFilesGiveTheIdsOfTraining() throws {
        let golden = try Self.load()
        #expect(golden.texts.count == 44 && golden.models.count == 9)
        for (name, expected) in golden.models {
            let bytes = Array(expected.model)
            let exported = try HuggingFaceTokenizer(.init(name: "tokenizer.model", bytes: bytes), model: Self.model)
            let hashes = Dictionary(
                uniqueKeysWithValues: exported.files.map {
                    ($0.name, hexadecimalDigits(of: SHA256.hash(data: $0.bytes)))
                })
            #expect(hashes == expected.files, "\(name)")
            // An exact tokenizer.json, or the class that leaves all of it to the library.
            let isExact = ["bpe", "bpe-bare", "bpe-trimmed"].contains(name)
            #expect(expected.class == (isExact ? "TokenizersBackend" : "SentencePieceBackend"), "\(name)")
            #expect((hashes["tokenizer.json"] != nil) == isExact && exported.notes.isEmpty == isExact, "\(name)")
            let processor = try SentencePieceProcessor(modelBytes: bytes)
            for (text, ids) in zip(golden.texts, expected.ids) {
                #expect(try processor.encode(Array(text)) == ids, "\(name): \(String(decoding: text, as: UTF8.self))")
            }
        }
    }

    /// Which kind a model is of, in the note about it.
    @Test func notesNameTheKind() throws {
        let golden = try Self.load()
        for (name, words) in [
            ("bpe-symbols", "(BPE with user-defined symbols)"), ("bpe-rules", "(BPE with normalisation)"),
            ("bpe-behind", "(BPE with blanks behind words)"), ("unigram", "(unigram)"), ("word", "(word)"),
            ("unigram-rules", "(unigram with normalisation)"),
        ] {
            let bytes = Array(try #require(golden.models[name]).model)
            let note = try HuggingFaceTokenizer(.init(name: "tokenizer.model", bytes: bytes), model: Self.model).notes
            #expect(note.count == 1 && note[0].contains(words) && note[0].contains("SentencePieceBackend"), "\(note)")
            #expect(
                note[0].contains("decode with the package") == ["bpe-symbols", "unigram"].contains(name), "\(name)")
        }
    }
}
