// Export - `mile-dist export`: a checkpoint as a Hugging Face directory.

internal import ArgumentParser
internal import Checkpointing
internal import Evaluation
internal import HuggingFace
internal import JobRuntime
internal import LlamaModel
internal import MessagePassing
internal import Reporting
internal import Tensors

/// `mile-dist export CHECKPOINT --output DIR [--dtype TYPE]`
struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a checkpoint as a Hugging Face directory.",
        discussion: """
            The directory gets config.json of the model's own architecture, generation_config.json, model.safetensors \
            in fp32 (several files and an index above 5 GB) and the tokenizer. Load it with transformers' \
            AutoModelForCausalLM and AutoTokenizer, which gives the ids of training; for others than BPE without \
            normalisation it needs transformers 5 and sentencepiece. A model that was imported keeps its own files \
            instead, byte for byte: of config.json only the values that are others now are changed.

            Examples:
              mile-dist export runs/shakespeare/checkpoints --output shakespeare-hf
              mile-dist export runs/shakespeare/checkpoints --output shakespeare-bf16 --dtype bf16
            """)

    @OptionGroup var checkpoint: CheckpointArgument

    @Option(help: ArgumentHelp("The directory to make; it must not exist, or be empty.", valueName: "directory"))
    var output: String

    @Option(help: "The number format of the weights.")
    var dtype = DType.fp32

    enum DType: String, ExpressibleByArgument, CaseIterable {
        case fp32, bf16, fp16

        var type: ExportedType {
            switch self {
            case .fp32: .fp32
            case .bf16: .bf16
            case .fp16: .fp16
            }
        }
    }

    func run() throws {
        launch(.helpers, loss: .isTold) { process in try run(process) }
    }

    private func run(_ process: ProcessContext) throws -> ExitStatus {
        let finder = CheckpointFinder(communicator: process.communicator, console: process.console)
        try finder.withCheckpoint(checkpoint.path) { reader in
            // Rank 0 writes. `agreed` throws its error on all ranks.
            try process.communicator.agreed {
                guard process.communicator.rank == 0 else { return }
                for note in try HuggingFaceExport(reader, type: dtype.type).write(to: output) {
                    process.console.warning(note)
                }
                let count = GroupedNumber.text(reader.index.model.tensorTable.count)
                process.console.line(
                    "\(output): \(count) parameters of \(reader.directory), step \(reader.index.step)")
            }
        }
        return .done
    }
}
