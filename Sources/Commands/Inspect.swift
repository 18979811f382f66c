// Inspect - `mile-dist inspect`: verifies a checkpoint and prints its content.

internal import ArgumentParser
internal import Checkpointing
internal import Evaluation
internal import Foundation
internal import JobRuntime
internal import LlamaModel
internal import MessagePassing
internal import Reporting
internal import Tensors

/// `mile-dist inspect CHECKPOINT [--json]`
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Verify a checkpoint and print what it holds.",
        discussion: """
            Example:
              mile-dist inspect runs/shakespeare/checkpoints --json
            """)

    @OptionGroup var checkpoint: CheckpointArgument

    @Flag(help: "Print one JSON object, with SHA-256 of every tensor.")
    var json = false

    func run() throws {
        launch(.helpers) { process in try run(process) }
    }

    private func run(_ process: ProcessContext) throws -> ExitStatus {
        let finder = CheckpointFinder(communicator: process.communicator, console: process.console)
        try finder.withCheckpoint(checkpoint.path) { reader in
            // Rank 0 reads and prints. `agreed` throws its error on all ranks.
            try process.communicator.agreed {
                guard process.communicator.rank == 0 else { return }
                let hashes = try reader.tensorHashes()
                if json {
                    process.console.raw(try reader.inspectionJSON(hashes) + "\n")
                } else {
                    describe(process.console, reader, hashes)
                }
                let nonFinite = reader.nonFiniteTensors(hashes)
                if !nonFinite.isEmpty {
                    process.console.warning("\(reader.directory): \(nonFinite); the model cannot compute with them")
                }
            }
        }
        return .done
    }

    private func describe(_ console: Console, _ reader: CheckpointReader, _ hashes: [CheckpointReader.TensorHash]) {
        let index = reader.index
        let parameters = GroupedNumber.text(index.model.tensorTable.count)
        console.line("\(reader.directory): verified")
        console.line("format \(CheckpointIndex.formatVersion), step \(index.step), \(index.optimizerSteps) updates")
        console.line("data position \(index.position) sequences, \(index.tokens) tokens; seed \(index.seed)")
        console.line("written by \(index.ranksWritten) ranks on \(index.processor), \(index.blas)")
        console.line("tokenizer \(index.tokenizer.name); \(parameters) parameters in \(hashes.count) tensors")
        for file in index.carriedFiles {
            console.line("carries \(file.name), \(GroupedNumber.text(file.byteCount)) bytes")
        }
        let width = hashes.map(\.name.count).max() ?? 0
        for hash in hashes {
            let name = hash.name.padding(toLength: width, withPad: " ", startingAt: 0)
            let shape = "[" + hash.shape.map(String.init).joined(separator: ", ") + "]"
            let nonFinite = hash.nonFinite[.parameter] ?? 0
            let mark = nonFinite > 0 ? "  \(nonFinite) NaN or infinite" : ""
            let size = shape.padding(toLength: 16, withPad: " ", startingAt: 0)
            console.line("\(name)  \(size)  \((hash.hashes[.parameter] ?? "").prefix(16))\(mark)")
        }
    }
}
