// Tokenizer - `mile-dist tokenizer train|encode|decode`: makes and uses SentencePiece models.

internal import ArgumentParser
internal import JobRuntime
internal import MessagePassing
internal import Reporting
internal import TokenData
internal import Tokenizers

struct Tokenizer: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make and use SentencePiece tokenizers.",
        discussion: """
            A configuration names a model as data.tokenizer: PATH/tokenizer.model. Any SentencePiece model with an end \
            token can be used as it is, LLaMA's for example; the ids are those of SentencePiece's own tools.

            Examples:
              mile-dist tokenizer train books.txt code.jsonl.zst --vocab-size 8000 --output my
              mile-dist tokenizer encode --tokenizer my.model books.txt
              echo 306 4658 | mile-dist tokenizer decode --tokenizer tokenizer.model
            """,
        subcommands: [TokenizerTrain.self, TokenizerEncode.self, TokenizerDecode.self])
}

/// `--tokenizer` of commands that convert lines.
struct TokenizerOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A SentencePiece model, a tokenizer.json, a directory with one of them, or bytes.", valueName: "path"))
    var tokenizer: String

    /// Converts the lines of files, or of standard input, to lines of standard output.
    func convert(_ direction: LineConversion.Direction, files: [String], _ process: ProcessContext) throws -> ExitStatus
    {
        // Rank 0 reads and writes. `agreed` throws its error on all ranks.
        try process.communicator.agreed {
            guard process.communicator.rank == 0 else { return }
            // Lines are no documents, so the tokenizer needs no end token.
            let tokenizer = try makeTokenizer(tokenizer, key: "--tokenizer", needsEnd: false)
            try LineConversion(direction, tokenizer).run(files: files, process.console)
        }
        return .done
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
            Each line is a text of its own; there are no begin and end tokens. Bytes that are no UTF-8 become U+FFFD \
            and are counted at the end, unless the tokenizer is bytes.

            Examples:
              mile-dist tokenizer encode --tokenizer tokenizer.model books.txt > books.ids
              echo "Hello world" | mile-dist tokenizer encode --tokenizer tokenizer.model --format piece
            """)

    @OptionGroup var tokenizer: TokenizerOption

    @Option(help: "What is printed for each token.")
    var format = Format.id

    @Argument(help: ArgumentHelp("Files of text; without any: standard input.", valueName: "files"))
    var files: [String] = []

    func run() throws {
        launch(.one) { process in
            try tokenizer.convert(format == .id ? .encode : .encodeAsPieces, files: files, process)
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

    @OptionGroup var tokenizer: TokenizerOption

    @Argument(help: ArgumentHelp("Files of ids; without any: standard input.", valueName: "files"))
    var files: [String] = []

    func run() throws {
        launch(.one) { process in
            try tokenizer.convert(.decode, files: files, process)
        }
    }
}
