// GenerateCommand - `mile-dist generate`: text from a checkpoint.

internal import Evaluation
internal import Foundation
public import JobRuntime
internal import Kernels
internal import LlamaModel
internal import MessagePassing
public import Reporting
internal import TokenData

/// `mile-dist generate CHECKPOINT --prompt "..."`
public struct GenerateCommand: Sendable {
    public var checkpoint: String
    public var prompt: String
    public var maximumTokens: Int
    /// 0: greedy.
    public var temperature: Double
    /// 0: all tokens.
    public var topK: Int
    /// 1: all tokens.
    public var topP: Double
    public var seed: UInt64
    public var threads: Int

    public init(
        checkpoint: String, prompt: String, maximumTokens: Int = 200, temperature: Double = 1, topK: Int = 0,
        topP: Double = 1, seed: UInt64 = 0, threads: Int = 0
    ) {
        self.checkpoint = checkpoint
        self.prompt = prompt
        self.maximumTokens = maximumTokens
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.seed = seed
        self.threads = threads
    }

    /// Prints the prompt and what follows it, as it is generated. Ends at the end token or, with a note, when the
    /// model's `max_position_embeddings` are used up.
    public func run(_ session: Session) throws -> ExitStatus {
        let loaded = try LoadedModel(session, path: checkpoint)
        let (tokenizer, promptTokens) = try session.communicator.agreed {
            let tokenizer = try loaded.checkpointTokenizer.required(by: "--prompt")
            return (tokenizer, try tokenizer.encode(Array(prompt.utf8)))
        }
        let capacity = loaded.model.maxPositionEmbeddings
        guard promptTokens.count < capacity else {
            throw ProgramFailure(
                .badInput,
                "--prompt: its \(promptTokens.count) tokens leave no room in the model's \(capacity) positions",
                isShared: true)
        }
        let pool = try session.makePool(requested: threads)
        let generator = TextGenerator(
            loaded.model, parameters: loaded.parameters, capacity: capacity, pool: pool)
        var sampler = TokenSampler(temperature: temperature, topK: topK, topP: topP, seed: seed)
        var text = UTF8Stream()
        session.console.raw(prompt)
        // Without a prompt the model continues a document's end: it starts a new one.
        var next = promptTokens.isEmpty ? [tokenizer.endToken] : promptTokens
        var isFull = false
        for _ in 0..<maximumTokens {
            isFull = generator.position + next.count >= capacity
            if isFull || session.console.hasLostOutput { break }
            let logits = generator.feed(next)
            // Finite weights can be so large that what is computed with them is not.
            guard logits.allSatisfy(\.isFinite) else {
                throw ProgramFailure(
                    .runtimeFailure, "\(loaded.path): the model's logits are not finite numbers", isShared: true)
            }
            let token = sampler.next(logits)
            if token == tokenizer.endToken { break }
            session.console.raw(text.append(tokenizer.bytes(of: token, after: next.last ?? tokenizer.endToken)))
            next = [token]
        }
        session.console.raw(text.finish() + "\n")
        if isFull {
            session.console.warning(
                "the text ends because the model's context is full: prompt and text have the \(capacity) tokens of its "
                    + "max_position_embeddings")
        }
        return .done
    }
}
