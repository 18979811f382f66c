// SentencePieceTrainerTests - models that are trained here, against the library's own tools.

import TestSupport
import Testing

@testable import SentencePieceText

/// Whether SentencePiece's command-line tools (Debian: sentencepiece) are installed.
let hasTools = ["spm_train", "spm_encode"].allSatisfy { tool in
    (try? RunningProgram(tool: "/usr/bin/env", ["which", tool], in: "/").wait(limit: 10).status) == 0
}

@Suite struct SentencePieceTrainerTests {
    private static let sentences: [[UInt8]] = {
        let words = [
            "the", "ship", "sails", "over", "a", "quiet", "sea", "and", "night", "falls.", "café", "1999", "while",
            "lanterns", "burn", "日本", "слово", "(index", "+", "count)", "==",
        ]
        var generator = SeededGenerator(seed: 4)
        return (0..<500).map { _ in
            Array((0..<12).map { _ in words[Int(generator.next() % UInt64(words.count))] }.joined(separator: " ").utf8)
        }
    }()

    private static func settings(_ method: SentencePieceTraining.Method) -> SentencePieceTraining {
        // The likeliest pieces of so few words are few.
        SentencePieceTraining(
            method: method, vocabularySize: method == .bpe ? 400 : 60, hasByteFallback: method == .bpe)
    }

    /// The library's tool, called with equal settings.
    @Test(
        .enabled(if: hasTools, "SentencePiece's tools are not installed"),
        arguments: SentencePieceTraining.Method.allCases)
    func modelsAreTheToolsOwn(method: SentencePieceTraining.Method) throws {
        let bytes = try SentencePieceTrainer.train(on: Self.sentences, Self.settings(method))
        let folder = try TemporaryFolder()
        try folder.write(Array(Self.sentences.joined(separator: [0x0A])), to: "text")
        let size = Self.settings(method).vocabularySize
        let result = try RunningProgram(
            tool: "/usr/bin/env",
            [
                "spm_train", "--input=text", "--model_prefix=tool", "--model_type=\(method.rawValue)",
                "--vocab_size=\(size)", "--character_coverage=0.99995", "--byte_fallback=\(method == .bpe)",
                "--split_digits=true", "--allow_whitespace_only_pieces=true", "--num_threads=1",
                "--normalization_rule_name=identity", "--remove_extra_whitespaces=false",
            ], in: folder.path
        ).wait(limit: 60)
        #expect(result.status == 0, "\(result)")
        let (own, tools) = (try SentencePieceModel(bytes), try SentencePieceModel(folder.bytes("tool.model")))
        #expect(own == tools)
        #expect(own.pieces.count == size && own.endId == 2 && own.mergesPairs == (method == .bpe))
        // The control: another setting, another model.
        var other = Self.settings(method)
        other.splitsDigits = false
        #expect(try SentencePieceModel(SentencePieceTrainer.train(on: Self.sentences, other)) != tools)
    }

    /// Lines through spm_encode, which shares no code with the binding.
    @Test(.enabled(if: hasTools, "SentencePiece's tools are not installed"), arguments: GoldenModel.names)
    func linesHaveTheToolsIds(name: String) throws {
        let golden = try GoldenModel.load(name)
        let processor = try golden.processor()
        let folder = try TemporaryFolder()
        try folder.write(golden.modelBytes(), to: "m.model")
        // The tool reads lines as they are, zero bytes and bytes that are no UTF-8 included.
        let lines = (0..<300 as Range<UInt64>).flatMap { seed in
            mixedText(seed: seed, count: 12).split(separator: 0x0A, omittingEmptySubsequences: false).map(Array.init)
        }
        try folder.write(Array(lines.joined(separator: [0x0A])) + [0x0A], to: "text")
        let result = try RunningProgram(
            tool: "/usr/bin/env", ["spm_encode", "--model=m.model", "--output_format=id", "--input=text"],
            in: folder.path
        ).wait(limit: 60)
        #expect(result.status == 0, "\(result)")
        let printed = result.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        #expect(printed.count == lines.count && lines.count > 1000)
        for (line, ids) in zip(lines, printed) {
            #expect(try processor.encode(line) == ids.split(separator: " ").map { try #require(Int32($0)) }, "\(line)")
        }
    }

    @Test func theSameSentencesGiveTheSameModel() throws {
        let first = try SentencePieceTrainer.train(on: Self.sentences, Self.settings(.bpe))
        #expect(try SentencePieceTrainer.train(on: Self.sentences, Self.settings(.bpe)) == first)
        let processor = try SentencePieceProcessor(modelBytes: first)
        let text = Array("the quiet sea 日本 \u{1F600}\n".utf8)
        #expect(try processor.decode(processor.encode(text)) == text)
        #expect(processor.canCutTexts)
    }

    @Test func aVocabularyThatTheTextDoesNotHaveIsRefused() {
        var settings = Self.settings(.bpe)
        settings.vocabularySize = 30_000
        let error = #expect(throws: SentencePieceError.self) {
            try SentencePieceTrainer.train(on: Self.sentences, settings)
        }
        #expect(error?.kind == .untrainable)
        #expect(
            error?.message.hasPrefix("no model was made: Vocabulary size too high (30000)") == true, "\(error as Any)")
        // Fewer than there are special pieces and bytes.
        settings.vocabularySize = 262
        let small = #expect(throws: SentencePieceError.self) {
            try SentencePieceTrainer.train(on: Self.sentences, settings)
        }
        #expect(small?.message.contains("Vocabulary size is smaller than required_chars") == true, "\(small as Any)")
    }

    /// The library would end the program.
    @Test func nothingToLearnFromIsAnError() {
        let error = #expect(throws: SentencePieceError.self) { try SentencePieceTrainer.train(on: [], .init()) }
        #expect(error?.kind == .untrainable)
    }

    @Test(arguments: [
        ("a line", true), ("", false), ("   \t", false), ("\u{2581} \u{3000}", false), ("has \u{2585}", false),
        ("\0\u{1}", false),
        ("é", true), (String(repeating: "a", count: 4192), true), (String(repeating: "a", count: 4193), false),
    ])
    func onlyWhatTheLibraryLearnsFromIsAccepted(sentence: String, isAccepted: Bool) {
        #expect(SentencePieceTraining.accepts(Array(sentence.utf8)) == isAccepted)
        #expect(!SentencePieceTraining.accepts([0x61, 0xFF]))
    }
}
