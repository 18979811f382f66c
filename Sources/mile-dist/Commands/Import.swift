// Import - `mile-dist import`.

import ArgumentParser
import Commands
import JobRuntime
import Reporting
import Training

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turn a Hugging Face LLaMA directory into a checkpoint to continue from.",
        discussion: """
            Reads config.json, safetensors files (fp32, bf16 or fp16; one or several) and tokenizer.model. What this
            program does not compute, such as scaled rotary embeddings or biases, is refused. What a checkpoint does not
            hold, such as added tokens, a chat template or another end token, is said. A model with another tokenizer
            gets none: it continues on prepared data with data.tokenizer none.

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
            "The model's tokenizer: bytes, a SentencePiece model (.model), or none: then all data must be prepared. Default: "
                + "tokenizer.model of the directory, if there is one.", valueName: "bytes|none|PATH"))
    var tokenizer: String?

    func run() throws {
        launch(.one, loss: .isTold) { session in
            try ImportCommand(directory: directory, output: output, tokenizer: tokenizer).run(session)
        }
    }
}
