// Import - `mile-dist import`: turns a Hugging Face directory into a checkpoint.

internal import ArgumentParser
internal import Checkpointing
internal import Evaluation
internal import HuggingFace
internal import JobRuntime
internal import LlamaModel
internal import MessagePassing
internal import Reporting
internal import Tensors
internal import TokenData
internal import Tokenizers

/// `mile-dist import DIR --output CHECKPOINT`
struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turn a Hugging Face directory into a checkpoint to continue from.",
        discussion: """
            Reads config.json of llama, mistral, qwen2, qwen3 or smollm3, safetensors files (fp32, bf16 or fp16; one or \
            several), and tokenizer.model or tokenizer.json. What this program does not compute, such as quantized \
            weights, is refused. All other files, such as a chat template, are carried: export writes them back. A model \
            with another tokenizer gets none: it continues on prepared data with data.tokenizer none.

            Examples:
              mile-dist import llama-hf --output runs/continued/checkpoints
              mpirun -n 4 mile-dist run.yaml --resume runs/continued/checkpoints
            """)

    @Argument(help: ArgumentHelp("The directory with config.json and model.safetensors.", valueName: "directory"))
    var directory: String

    @Option(help: ArgumentHelp("The checkpoints directory that gets step-00000000.", valueName: "checkpoint"))
    var output: String

    @Option(
        help: ArgumentHelp(
            "The model's tokenizer: bytes, a SentencePiece model (.model), a tokenizer.json, a directory with one, or none: "
                + "then all data must be prepared. Default: tokenizer.model or tokenizer.json of the directory, if there is one.",
            valueName: "bytes|none|PATH"))
    var tokenizer: String?

    @OptionGroup var end: EndTokenOption

    func run() throws {
        launch(.one, loss: .isTold) { process in try run(process) }
    }

    private func run(_ process: ProcessContext) throws -> ExitStatus {
        // Rank 0 reads and writes. `agreed` throws its error on all ranks.
        try process.communicator.agreed {
            guard process.communicator.rank == 0 else { return }
            let source = try open()
            for note in source.notes { process.console.warning(note) }
            let path = try source.write(
                to: output, processor: MachineIdentity.processor, blas: MachineIdentity.libraries)
            let count = GroupedNumber.text(source.model.tensorTable.count)
            process.console.line("\(path): \(count) parameters of \(directory)")
            let sections = "\(source.modelSection)\n\(data(source.tokenizer))"
            process.console.line("to continue from it, a configuration needs\n\(sections)")
        }
        return .done
    }

    /// Opens the directory with the tokenizer of `--tokenizer`, or its own.
    private func open() throws -> HuggingFaceImport {
        guard let setting = tokenizer else {
            let source = try HuggingFaceImport(directory: directory, endToken: end.endToken)
            guard end.endToken.isEmpty || source.tokenizer.name.hasSuffix(JSONTokenizer.suffix) else {
                throw ProgramFailure(
                    .badInput,
                    "\(EndTokenOption.name): it is for a tokenizer.json, and the model's tokenizer is "
                        + "\(source.tokenizer.name); leave it out")
            }
            return source
        }
        let tokenizer = try configuredTokenizer(
            setting, key: "--tokenizer", endToken: end.endToken, endKey: EndTokenOption.name)
        let source = try HuggingFaceImport(
            directory: directory, tokenizer: CheckpointIndex.Tokenizer(tokenizer, origin: nil))
        if let tokenizer, tokenizer.size > source.model.vocabularySize {
            throw ProgramFailure(
                .badInput,
                "--tokenizer: \(tokenizer.name) has \(tokenizer.size) ids, more than the model's vocab_size, "
                    + "\(source.model.vocabularySize): they do not belong together")
        }
        return source
    }

    /// The `data` section that a configuration needs for the checkpoint's tokenizer.
    private func data(_ tokenizer: CheckpointIndex.Tokenizer) -> String {
        guard tokenizer.isUsable else {
            return "data: {tokenizer: \(noTokenizerName)}  # all data prepared with the model's own tokenizer"
        }
        let path = self.tokenizer ?? "\(directory)/\(tokenizer.name)"
        let ending = end.endToken.isEmpty ? "" : ", end_token: \(JSONValue.quoted(end.endToken))"
        return "data: {tokenizer: \(tokenizer.bytes.isEmpty ? tokenizer.name : path)\(ending)}"
    }
}
