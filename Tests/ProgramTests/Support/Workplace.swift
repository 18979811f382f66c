// Workplace - a temporary folder with texts and a configuration, in which tests run the program.

import Checkpointing
import Evaluation
import MessagePassing
import Reporting
import TestSupport

/// A folder that holds `text.txt`, `held-out.txt` and `run.yaml`, the configuration of a tiny model.
final class Workplace {
    /// How large the model is.
    enum Model {
        /// 35,040 parameters: one block of the optimizer's shards, so that a single rank owns everything.
        case tiny
        /// 295,488 parameters, five blocks: four ranks own some of them each.
        case sharded

        var sizes: String {
            switch self {
            case .tiny: "hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2"
            case .sharded: "hidden_size: 64, intermediate_size: 272, num_hidden_layers: 4"
            }
        }
    }

    static let batch = 10
    static let sequenceLength = 16

    let folder: TemporaryFolder

    init(_ model: Model = .tiny) throws {
        folder = try TemporaryFolder()
        try folder.write(Self.words(2000, seed: 1), to: "text.txt")
        try folder.write(Self.words(100, seed: 2), to: "held-out.txt")
        try folder.write(Self.configuration(model), to: "run.yaml")
    }

    static func configuration(_ model: Model = .tiny) -> String {
        """
        model: {\(model.sizes), num_attention_heads: 4,
                num_key_value_heads: 2, vocab_size: 257, max_position_embeddings: 32, initializer_range: 0.02}
        data:
          tokenizer: bytes
          train: [{name: text, path: text.txt}]
          validation: [{name: held-out, path: held-out.txt}]
          sequence_length: \(sequenceLength)
        optimizer: {learning_rate: 2.0e-3}
        schedule: {warmup_steps: 2, total_steps: 6}
        training: {global_batch_size: \(batch), micro_batch_size: 4, threads: 1, seed: 5, blas: openblas}
        evaluation: {every: 1000, sequences: 8}
        checkpoint: {every: 1000}

        """
    }

    /// Words of a small vocabulary in a seeded order: text that a tiny model learns something from.
    static func words(_ count: Int, seed: UInt64) -> String {
        let vocabulary = ["the", "ship", "sails", "over", "a", "quiet", "sea", "and", "night", "falls."]
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in vocabulary[Int(generator.next() % UInt64(vocabulary.count))] }
            .joined(separator: " ")
    }

    /// Starts the program here.
    func start(
        _ arguments: [String], ranks: Int = 1, variables: [String: String] = [:]
    ) throws -> RunningProgram {
        try RunningProgram(arguments, ranks: ranks, in: folder.path, variables: variables)
    }

    /// Runs the program here to its end.
    func run(_ arguments: [String], ranks: Int = 1, limit: Double = 60) throws -> ProgramResult {
        try start(arguments, ranks: ranks).wait(limit: limit)
    }

    /// Arguments of `train`: `run.yaml` with overrides, and other options.
    func arguments(_ overrides: [String], _ options: [String] = []) -> [String] {
        ["train", "run.yaml"] + overrides.flatMap { ["--set", $0] } + options
    }

    /// Trains with overrides; run directory `runs/run`.
    func train(_ overrides: [String] = [], options: [String] = [], ranks: Int = 1) throws -> ProgramResult {
        try run(arguments(overrides, options), ranks: ranks)
    }

    /// The rows of a run directory.
    func metrics(_ directory: String = "runs/run") throws -> Metrics {
        try Metrics(text: try folder.text("\(directory)/metrics.jsonl"))
    }

    /// Number of rows that a run has written so far.
    func rowCount(_ directory: String = "runs/run") -> Int {
        ((try? folder.bytes("\(directory)/metrics.jsonl")) ?? []).count { $0 == UInt8(ascii: "\n") }
    }

    /// Waits until a running program has written so many rows.
    func waitForRows(_ count: Int, in directory: String = "runs/run", of program: RunningProgram) -> Bool {
        RunningProgram.poll(limit: 30) { rowCount(directory) >= count || !program.isRunning } && program.isRunning
    }

    /// Names of the step directories that are complete, oldest first.
    func checkpoints(_ directory: String = "runs/run/checkpoints") -> [String] {
        folder.names(in: directory).filter { name in
            name.hasPrefix("step-") && !name.contains(".") && folder.exists("\(directory)/\(name)/COMPLETE")
        }
    }

    /// What `inspect --json` says: computed in this process, by what the command calls.
    func inspect(_ checkpoint: String) throws -> Inspection {
        let finder = CheckpointFinder(communicator: .alone(), console: Console(speaks: false))
        return try Inspection(
            text: try finder.withCheckpoint(folder.path(checkpoint)) { reader in try reader.inspectionJSON() })
    }

    /// What the program's own `inspect --json` says.
    func inspectByProgram(_ checkpoint: String, ranks: Int = 1) throws -> Inspection {
        let result = try run(["inspect", checkpoint, "--json"], ranks: ranks)
        guard result.status == 0 else { throw UnexpectedText("\(result)") }
        return try Inspection(text: result.output)
    }
}
