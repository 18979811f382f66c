// Generate - `mile-dist generate`: text from a checkpoint.

internal import ArgumentParser
internal import Evaluation
internal import Foundation
internal import HuggingFace
internal import JobRuntime
internal import Kernels
internal import LlamaModel
internal import MessagePassing
internal import Reporting
internal import TokenData
internal import Tokenizers

/// `mile-dist generate CHECKPOINT --prompt "..."`
struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Continue a prompt with a checkpoint's model.",
        discussion: """
            The text ends at the end token, at any other that an imported model's settings name (eos_token_id), after \
            --max-tokens, or where the model's context is full, which is said on standard error. A checkpoint without \
            tokenizer has no text.

            Examples:
              mile-dist generate runs/shakespeare/checkpoints --prompt "ROMEO:" --temperature 0.8 --top-k 40
              mile-dist generate runs/embedded/checkpoints --prompt "" --temperature 0
            """)

    @OptionGroup var checkpoint: CheckpointArgument

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

    @OptionGroup var threads: ThreadsOption

    func validate() throws {
        guard maxTokens >= 1 else { throw ValidationError("--max-tokens: \(maxTokens) found; allowed: 1 or more.") }
        guard temperature >= 0, temperature.isFinite else {
            throw ValidationError("--temperature: \(temperature) found; allowed: 0 or more.")
        }
        guard topK >= 0 else { throw ValidationError("--top-k: \(topK) found; allowed: 0 or more.") }
        guard topP > 0, topP <= 1 else { throw ValidationError("--top-p: \(topP) found; allowed: above 0, up to 1.") }
    }

    func run() throws {
        // Why one rank: one sequence cannot be shared. Other ranks would go on after a reader such as `head` ends.
        launch(.one) { process in try run(process) }
    }

    /// Prints the prompt, and each token when it is generated.
    ///
    /// The text ends at an end token, or with a warning when the model's positions are used up.
    private func run(_ process: ProcessContext) throws -> ExitStatus {
        let loaded = try LoadedModel(process, path: checkpoint.path)
        let (tokenizer, promptTokens) = try process.communicator.agreed {
            let tokenizer = try loaded.checkpointTokenizer.required(by: "--prompt")
            return (tokenizer, try tokenizer.encode(Array(prompt.utf8)))
        }
        let capacity = loaded.model.longestSequence
        guard promptTokens.count < capacity else {
            throw ProgramFailure(
                .badInput,
                "--prompt: its \(promptTokens.count) tokens leave no room in the model's \(capacity) positions",
                isShared: true)
        }
        let ends = EndTokens.stated(in: loaded.settings).union([tokenizer.endToken])
        let pool = try process.makePool(requested: threads.count)
        let generator = TextGenerator(
            loaded.model, parameters: loaded.parameters, capacity: capacity, pool: pool)
        var sampler = TokenSampler(temperature: temperature, topK: topK, topP: topP, seed: seed)
        var text = UTF8Stream()
        process.console.raw(prompt)
        // Without a prompt the model continues an end token, and so starts a document.
        var next = promptTokens.isEmpty ? [tokenizer.endToken] : promptTokens
        var isFull = false
        for _ in 0..<maxTokens {
            isFull = generator.position + next.count >= capacity
            if isFull || process.console.hasLostOutput { break }
            let logits = generator.feed(next)
            // Large finite weights can give infinite activations.
            guard logits.allSatisfy(\.isFinite) else {
                throw ProgramFailure(
                    .runtimeFailure, "\(loaded.path): the model's logits are not finite numbers", isShared: true)
            }
            let token = sampler.next(logits)
            if ends.contains(token) { break }
            process.console.raw(text.append(tokenizer.bytes(of: token, after: next.last ?? tokenizer.endToken)))
            next = [token]
        }
        process.console.raw(text.finish() + "\n")
        if isFull {
            process.console.warning(
                "the text ends because the model's context is full: prompt and text have the \(capacity) tokens of its "
                    + loaded.model.longestSequenceKey)
        }
        return .done
    }
}
