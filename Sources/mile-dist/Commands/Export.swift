// Export - `mile-dist export`.

import ArgumentParser
import Commands
import JobRuntime
import Reporting
import Training

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a checkpoint as a Hugging Face directory.",
        discussion: """
            The directory gets config.json, generation_config.json, model.safetensors in fp32 (several files and an index
            above 5 GB) and the tokenizer. Load it with transformers' AutoModelForCausalLM and AutoTokenizer, which gives
            the ids of training; for others than BPE without normalisation it needs transformers 5 and sentencepiece.

            Example:
              mile-dist export runs/shakespeare/checkpoints --output shakespeare-hf
            """)

    @Argument(help: ArgumentHelp("A step directory, or a checkpoints directory (its newest).", valueName: "checkpoint"))
    var checkpoint: String

    @Option(help: ArgumentHelp("The directory to make; it must not exist, or be empty.", valueName: "directory"))
    var output: String

    func run() throws {
        launch(.helpers, loss: .isTold) { session in
            try ExportCommand(checkpoint: checkpoint, output: output).run(session)
        }
    }
}
