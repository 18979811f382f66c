// Import - `mile-dist import`.

import ArgumentParser
import Training

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turn a Hugging Face LLaMA directory into a checkpoint to continue from.",
        discussion: """
            Reads config.json, safetensors files (fp32, bf16 or fp16; one or several) and tokenizer.model. What this
            program does not compute, such as scaled rotary embeddings or biases, is refused. What a checkpoint does not
            hold, such as added tokens, a chat template or another end token, is said.

            Examples:
              mile-dist import llama-hf --output runs/continued/checkpoints
              mpirun -n 4 mile-dist run.yaml --resume runs/continued/checkpoints
            """)

    @Argument(help: ArgumentHelp("The directory with config.json and model.safetensors.", valueName: "directory"))
    var directory: String

    @Option(help: ArgumentHelp("The checkpoints directory that gets step-00000000.", valueName: "checkpoint"))
    var output: String

    func run() throws {
        launch { session in try ImportCommand(directory: directory, output: output).run(session) }
    }
}
