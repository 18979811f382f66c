// EmbeddedVerdict - the embedded job judges the installation: held-out CE against the Bayes predictor's, and a sample.

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

/// The end of the embedded job.
struct EmbeddedVerdict {
    /// The trained model may be this much worse than the best possible predictor.
    static let tolerance = 0.05

    private let run: TrainingRun

    init(_ run: TrainingRun) { self.run = run }

    /// Prints a sample and the verdict; status 1 when the model did not come close enough to the floor. A job that was
    /// told to stop earlier is not judged.
    func judge() throws -> ExitStatus {
        let console = run.process.console
        guard run.state.progress.step == run.configuration.schedule.totalSteps else { return .done }
        if run.process.communicator.rank == 0, let tokenizer = run.data.tokenizer {
            console.line("sample: \(sample(tokenizer))")
        }
        guard let floor = run.floor, let evaluation = run.lastEvaluation else {
            throw ProgramFailure(.runtimeFailure, "the embedded job ended without an evaluation", isShared: true)
        }
        let excess = evaluation.crossEntropy / floor - 1
        let verdict = String(
            format: "held-out CE %.4f nats/byte is %.1f %% above the best possible %.4f (at most %.0f %% is right)",
            evaluation.crossEntropy, 100 * excess, floor, 100 * Self.tolerance)
        guard excess <= Self.tolerance else {
            throw ProgramFailure(
                .runtimeFailure, "\(verdict): this installation does not train as it should.", isShared: true)
        }
        console.line("\(verdict): this installation works.")
        return .done
    }

    private func sample(_ tokenizer: any Tokenizer) -> String {
        let length = run.configuration.data.sequenceLength
        let generator = TextGenerator(
            run.configuration.model, parameters: run.state.wideParameters, capacity: length, pool: run.pool)
        var sampler = TokenSampler(temperature: 0.8, seed: run.configuration.training.seed)
        var tokens = [Int32(UInt8(ascii: " "))]
        while tokens.count < length { tokens.append(sampler.next(generator.feed([tokens[tokens.count - 1]]))) }
        return String(decoding: tokenizer.decode(tokens), as: UTF8.self)
            .trimmingCharacters(in: .whitespaces)
    }
}
