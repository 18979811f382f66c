// Generate - `mile-dist generate`.

import ArgumentParser
import Commands
import JobRuntime
import Training

struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Continue a prompt with a checkpoint's model.",
        discussion: """
            The text ends at the end token, after --max-tokens, or where the model's context is full, which is said on standard
            error. A checkpoint without tokenizer has no text.

            Examples:
              mile-dist generate runs/shakespeare/checkpoints --prompt "ROMEO:" --temperature 0.8 --top-k 40
              mile-dist generate runs/embedded/checkpoints --prompt "" --temperature 0
            """)

    @Argument(help: ArgumentHelp("A step directory, or a checkpoints directory (its newest).", valueName: "checkpoint"))
    var checkpoint: String

    @Option(help: "The text to continue; empty: start a document.")
    var prompt: String

    @Option(help: "Tokens to generate at most.")
    var maxTokens = 200

    @Option(help: "Sampling temperature; 0: always the most probable token.")
    var temperature = 1.0

    @Option(help: "Sample from the k most probable tokens; 0: from all.")
    var topK = 0

    @Option(help: "Sample from the most probable tokens that together reach this probability.")
    var topP = 1.0

    @Option(help: "Seed of the sampling.")
    var seed: UInt64 = 0

    @Option(help: "Threads; 0: the cores bound to the process.")
    var threads = 0

    func validate() throws {
        guard maxTokens >= 1 else { throw ValidationError("--max-tokens: \(maxTokens) found; allowed: 1 or more.") }
        guard temperature >= 0, temperature.isFinite else {
            throw ValidationError("--temperature: \(temperature) found; allowed: 0 or more.")
        }
        guard topK >= 0 else { throw ValidationError("--top-k: \(topK) found; allowed: 0 or more.") }
        guard topP > 0, topP <= 1 else { throw ValidationError("--top-p: \(topP) found; allowed: above 0, up to 1.") }
        guard threads >= 0 else { throw ValidationError("--threads: \(threads) found; allowed: 0 or more.") }
    }

    func run() throws {
        // One sequence is no work to share. Ranks that computed it too would go on where its reader has gone.
        launch(.one) { session in
            try GenerateCommand(
                checkpoint: checkpoint, prompt: prompt, maximumTokens: maxTokens, temperature: temperature,
                topK: topK, topP: topP, seed: seed, threads: threads
            ).run(session)
        }
    }
}
