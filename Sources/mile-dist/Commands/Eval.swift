// Eval - `mile-dist eval`.

import ArgumentParser
import Commands
import Training

struct Eval: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Unweighted cross-entropy of a checkpoint on files, and its scores on multiple-choice tasks.",
        discussion: """
            Each file is a domain, named after it or as NAME=FILE. Texts are cut into sequences as in training. Prepared data
            must have been made with the checkpoint's tokenizer; where PREFIX.json does not say so, bits per byte are left out.

            Buckets: of the target's frequency in training (ids sorted by count and cut at 80 and 95 % of all
            occurrences: high, medium, low), and of the entropy of the model's prediction, in nats. Calibration
            is the expected calibration error of the most likely token, in 15 bins.

            A file of tasks has a JSON object per line, in one of three forms, to which "id" may be added:
              {"task": "a", "context": "A man", "choices": ["eats.", "rains."], "label": 0}
              {"task": "b", "context": "She opened the", "completion": " door"}
              {"task": "c", "contexts": ["Ann", "Bob"], "completion": " ran.", "label": 1}
            A choice follows its context behind "delimiter", by default one space; a completion follows as it is. What
            is reported, and how HellaSwag, PIQA, ARC, BoolQ, LAMBADA and Winogrande become such lines, is in the
            README; the names and definitions are those of lm-evaluation-harness.

            Examples:
              mile-dist eval runs/shakespeare/checkpoints --data books.txt code=src.jsonl.zst
              mpirun -n 4 mile-dist eval runs/shakespeare/checkpoints/step-00002000 --data books.txt --json
              mpirun -n 4 mile-dist eval runs/shakespeare/checkpoints --tasks hellaswag.jsonl lambada.jsonl
            """)

    @Argument(help: ArgumentHelp("A step directory, or a checkpoints directory (its newest).", valueName: "checkpoint"))
    var checkpoint: String

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(".txt, .jsonl or .jsonl.zst files, or prefixes of prepared data.", valueName: "[name=]file"))
    var data: [String] = []

    @Option(
        parsing: .upToNextOption, help: ArgumentHelp("Files of tasks, a JSON object per line.", valueName: "file"))
    var tasks: [String] = []

    @Option(help: "Tokens per sequence (default: as in training).")
    var sequenceLength: Int?

    @Option(help: "Sequences per domain, from its start; 0: all.")
    var sequences = 0

    @Option(help: "Sequences, or choices of tasks, computed at a time.")
    var batchSize = 8

    @Option(help: "Threads per rank; 0: the cores bound to it.")
    var threads = 0

    @Flag(help: "Print one JSON object.")
    var json = false

    @Option(help: ArgumentHelp("Write a JSON line per target.", valueName: "file"))
    var perToken: String?

    @Option(help: ArgumentHelp("Write a JSON line per document of the tasks.", valueName: "file"))
    var perDocument: String?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Training data to count for the frequency buckets (default: the counts in the checkpoint).",
            valueName: "[name=]file"))
    var counts: [String] = []

    func validate() throws {
        guard !(data.isEmpty && tasks.isEmpty) else {
            throw ValidationError("Nothing to evaluate: --data or --tasks needs at least one file.")
        }
        guard perToken == nil || !data.isEmpty else { throw ValidationError("--per-token needs --data.") }
        guard perDocument == nil || !tasks.isEmpty else { throw ValidationError("--per-document needs --tasks.") }
        guard sequences >= 0 else { throw ValidationError("--sequences: \(sequences) found; allowed: 0 or more.") }
        guard batchSize >= 1 else { throw ValidationError("--batch-size: \(batchSize) found; allowed: 1 or more.") }
        guard threads >= 0 else { throw ValidationError("--threads: \(threads) found; allowed: 0 or more.") }
    }

    func run() throws {
        launchOnAllRanks { session in
            try EvaluateCommand(
                checkpoint: checkpoint, data: data, sequenceLength: sequenceLength, limit: sequences,
                batchSize: batchSize, threads: threads, isJSON: json, perToken: perToken, counts: counts,
                tasks: tasks, perDocument: perDocument
            ).run(session)
        }
    }
}
