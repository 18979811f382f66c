// SelfTestResult - the end of the self-test job: a sample, and held-out CE against the best possible loss.

internal import Configuration
internal import Evaluation
internal import Foundation
internal import JobRuntime
internal import LlamaModel
internal import MessagePassing
internal import Optimization
internal import Reporting
internal import TokenData
internal import Tokenizers

/// Compares the held-out CE of the self-test job with the best possible loss.
struct SelfTestResult {
    /// The trained model may be this much worse than the best possible predictor.
    static let tolerance = 0.05

    private let run: TrainingRun

    init(_ run: TrainingRun) { self.run = run }

    /// Prints a sample and the result. A job that stopped before its last step is not compared.
    ///
    /// - Throws: status 1 if the CE is more than `tolerance` above the best possible loss.
    func report() throws -> ExitStatus {
        let console = run.process.console
        guard run.state.progress.step == run.configuration.schedule.totalSteps else { return .done }
        if run.process.communicator.rank == 0, let tokenizer = run.data.tokenizer {
            console.line("sample: \(try sample(tokenizer))")
        }
        guard let bestPossibleLoss = run.bestPossibleLoss, let evaluation = run.lastEvaluation else {
            throw ProgramFailure(.runtimeFailure, "the embedded job ended without an evaluation", isShared: true)
        }
        let excess = evaluation.crossEntropy / bestPossibleLoss - 1
        let result = String(
            format: "held-out CE %.4f nats/byte is %.1f %% above the best possible %.4f (at most %.0f %% is right)",
            evaluation.crossEntropy, 100 * excess, bestPossibleLoss, 100 * Self.tolerance)
        guard excess <= Self.tolerance else {
            throw ProgramFailure(
                .runtimeFailure, "\(result): this installation does not train as it should.", isShared: true)
        }
        console.line("\(result): this installation works.")
        return .done
    }

    private func sample(_ tokenizer: any Tokenizer) throws -> String {
        let length = run.configuration.data.sequenceLength
        let generator = TextGenerator(
            run.configuration.model, parameters: try run.state.gatheredParameters(), capacity: length, pool: run.pool)
        var sampler = TokenSampler(temperature: 0.8, seed: run.configuration.training.seed)
        var tokens = [Int32(UInt8(ascii: " "))]
        while tokens.count < length { tokens.append(sampler.next(generator.feed([tokens[tokens.count - 1]]))) }
        return String(decoding: tokenizer.decode(tokens), as: UTF8.self)
            .trimmingCharacters(in: .whitespaces)
    }
}
