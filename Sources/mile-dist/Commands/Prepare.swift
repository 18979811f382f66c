// Prepare - `mile-dist prepare`.

import ArgumentParser
import Commands
import Reporting
import Training

struct Prepare: ParsableCommand {
    /// What becomes of a malformed line.
    enum OnError: String, CaseIterable, ExpressibleByArgument {
        case skip, fail
    }

    static let configuration = CommandConfiguration(
        abstract: "Turn text into token files: Megatron's .bin and .idx, which train without tokenizing again.",
        discussion: """
            A .txt file is one document; each line of a .jsonl or .jsonl.zst file is one: an object with a string "text",
            and perhaps "meta": {"pile_set_name": "..."}. Each document is followed by the tokenizer's end token. Ids take
            two bytes if there are fewer than 65,500, otherwise four. The result is the same for any number of ranks and
            threads.

            A line that is no such object, or not UTF-8, is counted and listed at the end (--on-error skip), or ends the
            command (fail). A .txt file is taken as it is, with bytes byte by byte; other tokenizers read each byte that is no
            UTF-8 as U+FFFD, which is counted and listed, or ends the command. PREFIX.json holds all counts.

            Stopped, killed or ended by a mistake in a file, the same command goes on with the parts in PREFIX.parts that
            are done; those of files that were mended are made again. With ranks on several nodes, FILES and PREFIX must be
            in directories that all see.

            Examples:
              mile-dist prepare --tokenizer bytes --output data/books books.txt more-books.jsonl.zst
              mpirun -n 16 mile-dist prepare --tokenizer llama.model --output data/pile pile/*.jsonl.zst --split-domains
              mile-dist prepare --tokenizer bytes --output data/code code.jsonl --on-error fail --threads 8

            A configuration reads the result as data.train: [{name: books, path: data/books, weight: 1}].
            """)

    @Option(help: ArgumentHelp("bytes, or the path of a SentencePiece model.", valueName: "tokenizer"))
    var tokenizer: String

    @Option(help: ArgumentHelp("What .bin and .idx are added to.", valueName: "prefix"))
    var output: String

    @Argument(help: ArgumentHelp(".txt, .jsonl or .jsonl.zst files.", valueName: "files"))
    var files: [String]

    @Flag(help: "A pair for each meta.pile_set_name: PREFIX-NAME.bin and .idx.")
    var splitDomains = false

    @Option(help: "What to do with a malformed line: count it (skip), or end there (fail).")
    var onError = OnError.skip

    @Flag(help: "Replace an output, or parts, of another input.")
    var overwrite = false

    @Option(help: "Threads per rank; 0: the cores bound to it.")
    var threads = 0

    func validate() throws {
        guard !files.isEmpty else { throw ValidationError("prepare needs at least one file.") }
        guard threads >= 0 else { throw ValidationError("--threads: \(threads) found; allowed: 0 or more.") }
    }

    func run() throws {
        launchOnAllRanks(loss: .isTold) { session in
            try PrepareCommand(
                tokenizer: tokenizer, output: output, files: files, splitsDomains: splitDomains,
                skipsMalformed: onError == .skip, overwrites: overwrite, threads: threads
            ).run(session)
        }
    }
}
