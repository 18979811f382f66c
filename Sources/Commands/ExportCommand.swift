// ExportCommand - `mile-dist export`: a checkpoint as a Hugging Face directory.

internal import Checkpointing
internal import Evaluation
public import JobRuntime
internal import LlamaModel
internal import MessagePassing
public import Reporting
internal import Tensors

/// `mile-dist export CHECKPOINT --output DIR`
public struct ExportCommand: Sendable {
    public var checkpoint: String
    /// The directory to make.
    public var output: String

    public init(checkpoint: String, output: String) {
        self.checkpoint = checkpoint
        self.output = output
    }

    public func run(_ session: Session) throws -> ExitStatus {
        let finder = CheckpointFinder(communicator: session.communicator, console: session.console)
        try finder.withCheckpoint(checkpoint) { reader in
            // One rank writes; an error is everybody's.
            try session.communicator.agreed {
                guard session.communicator.rank == 0 else { return }
                for note in try HuggingFaceExport(reader).write(to: output) { session.console.warning(note) }
                let count = GroupedNumber.text(reader.index.model.tensorTable.count)
                session.console.line(
                    "\(output): \(count) parameters of \(reader.directory), step \(reader.index.step)")
            }
        }
        return .done
    }
}
