// Tokenizer - `mile-dist tokenizer train|encode|decode`: SentencePiece models.

import ArgumentParser
import Commands
import JobRuntime
import Reporting
import TokenData
import Training

struct Tokenizer: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make and use SentencePiece tokenizers.",
        discussion: """
            A configuration names a model as data.tokenizer: PATH/tokenizer.model. Any SentencePiece model with an end token
            can be used as it is, LLaMA's for example; the ids are those of SentencePiece's own tools.

            Examples:
              mile-dist tokenizer train books.txt code.jsonl.zst --vocab-size 8000 --output my
              mile-dist tokenizer encode --tokenizer my.model books.txt
              echo 306 4658 | mile-dist tokenizer decode --tokenizer tokenizer.model
            """,
        subcommands: [TokenizerTrain.self, TokenizerEncode.self, TokenizerDecode.self])
}

struct TokenizerTrain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Train a SentencePiece model on text files.",
        discussion: """
            Every line of the texts is a sentence to learn from; lines above 4192 bytes are cut at blanks. The defaults are
            those of LLaMA's tokenizer: pairs are merged, texts stay as they are, digits are single pieces, characters
            without a piece are spelled in bytes. The sentences are held in memory, twice while training starts.

            A line of a .jsonl file that is no object with a string "text", and a line of any file that is not UTF-8, is
            counted and listed (--on-error skip), or ends the command (fail).

            Examples:
              mile-dist tokenizer train books.txt --vocab-size 8000 --output books
              mile-dist tokenizer train pile-*.jsonl.zst --lines 5000000 --output pile
              mile-dist tokenizer train books.txt --model-type unigram --normalization nmt_nfkc --output unigram
            """)

    @Argument(help: ArgumentHelp(".txt, .jsonl or .jsonl.zst files.", valueName: "files"))
    var files: [String]

    @Option(
        help: ArgumentHelp("The model becomes PREFIX.model, or PREFIX where that ends in .model.", valueName: "prefix"))
    var output: String

    @Option(help: "Number of pieces: special ones, bytes, and what is learned.")
    var vocabSize = 32000

    @Option(help: "How texts are cut: bpe (merge pairs, as LLaMA) or unigram (likeliest pieces).")
    var modelType = "bpe"

    @Option(help: "Share of the characters of the text that get a piece; the rarest do not.")
    var characterCoverage = 0.99995

    @Flag(inversion: .prefixedNo, help: "Whether characters without a piece are spelled in bytes; otherwise unknown.")
    var byteFallback = true

    @Flag(inversion: .prefixedNo, help: "Whether each digit is a piece of its own.")
    var splitDigits = true

    @Option(help: "How characters are replaced before cutting: identity, nfkc, nmt_nfkc, nfkc_cf or nmt_nfkc_cf.")
    var normalization = "identity"

    @Option(help: "Lines to learn from, chosen evenly from all; 0: all.")
    var lines = 2_000_000

    @Option(help: "Seed of the choice.")
    var seed: UInt64 = 0

    @Option(help: "Threads; 0: the cores bound to the process.")
    var threads = 0

    @Option(help: "What to do with a malformed line: count it (skip), or end there (fail).")
    var onError = Prepare.OnError.skip

    @Flag(help: "Show what the library says while it trains.")
    var verbose = false

    func validate() throws {
        guard !files.isEmpty else { throw ValidationError("train needs at least one file.") }
        guard lines >= 0 else { throw ValidationError("--lines: \(lines) found; allowed: 0 or more.") }
        guard threads >= 0 else { throw ValidationError("--threads: \(threads) found; allowed: 0 or more.") }
    }

    func run() throws {
        launch(.one, loss: .isTold) { session in
            try TokenizerTrainCommand(
                files: files, output: output, vocabularySize: vocabSize, modelType: modelType,
                characterCoverage: characterCoverage, byteFallback: byteFallback, splitDigits: splitDigits,
                normalization: normalization, lines: lines, seed: seed, threads: threads,
                skipsMalformed: onError == .skip, isVerbose: verbose
            ).run(session)
        }
    }
}

struct TokenizerEncode: ParsableCommand {
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case id
        case piece
    }

    static let configuration = CommandConfiguration(
        commandName: "encode", abstract: "Turn lines of text into lines of ids, as spm_encode does.",
        discussion: """
            Each line is a text of its own; there are no begin and end tokens. Bytes that are no UTF-8 become U+FFFD and are
            counted at the end, unless the tokenizer is bytes.

            Examples:
              mile-dist tokenizer encode --tokenizer tokenizer.model books.txt > books.ids
              echo "Hello world" | mile-dist tokenizer encode --tokenizer tokenizer.model --format piece
            """)

    @Option(help: ArgumentHelp("A SentencePiece model, or bytes.", valueName: "path"))
    var tokenizer: String

    @Option(help: "What is printed for each token.")
    var format = Format.id

    @Argument(help: ArgumentHelp("Files of text; without any: standard input.", valueName: "files"))
    var files: [String] = []

    func run() throws {
        launch(.one) { session in
            try TokenizerTextCommand(
                format == .id ? .encode : .encodeAsPieces, tokenizer: tokenizer, files: files
            ).run(session)
        }
    }
}

struct TokenizerDecode: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode", abstract: "Turn lines of ids into lines of text, as spm_decode does.",
        discussion: """
            Examples:
              mile-dist tokenizer decode --tokenizer tokenizer.model books.ids
              echo 15043 3186 | mile-dist tokenizer decode --tokenizer tokenizer.model
            """)

    @Option(help: ArgumentHelp("A SentencePiece model, or bytes.", valueName: "path"))
    var tokenizer: String

    @Argument(help: ArgumentHelp("Files of ids; without any: standard input.", valueName: "files"))
    var files: [String] = []

    func run() throws {
        launch(.one) { session in
            try TokenizerTextCommand(.decode, tokenizer: tokenizer, files: files).run(session)
        }
    }
}
