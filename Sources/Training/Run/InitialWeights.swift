// InitialWeights - the checkpoint of `--initialize-from`: whose weights a new run begins with, and whether it may.

internal import Checkpointing
internal import Configuration
internal import Evaluation
internal import Foundation
internal import JobRuntime
internal import Reporting
internal import TokenData
internal import Tokenizers

/// An opened checkpoint whose weights compute the configured model's function.
package struct InitialWeights {
    let source: CheckpointReader
}

extension Trainer {
    /// Opens and checks the checkpoint of `--initialize-from`; nil without the option. Collective.
    func openInitialWeights(_ data: RunData) throws -> InitialWeights? {
        guard let path = options.initializeFrom else { return nil }
        let source = try CheckpointFinder(communicator: communicator, console: console).open(path)
        let notes = try communicator.agreed {
            let notes = try source.index.requireSameFunction(
                as: configuration, tokenizer: data.tokenizer, path: path)
            try source.index.tokenizer.requireOrigin(of: data.training.domains + data.validation, key: "data")
            return notes
        }
        for note in notes { console.line(note) }
        if let note = source.index.tokenizer.assumption(of: data.tokenizer) { console.warning(note) }
        return InitialWeights(source: source)
    }
}

extension CheckpointIndex {
    /// Compares the model and tokenizer of a checkpoint with those of a run that wants its weights.
    ///
    /// Weights are numbers of one function: with other heads, rotary frequencies or token ids they are numbers of none.
    ///
    /// - Parameter path: as the user gave it.
    /// - Returns: in words, permitted differences, and settings that could not be compared.
    /// - Throws: status 2 naming every difference that may not be.
    func requireSameFunction(
        as configuration: RunConfiguration, tokenizer: (any Tokenizers.Tokenizer)?, path: String
    ) throws -> [String] {
        var (conflicts, changes) = configuration.modelComparison(with: model)
        if let conflict = self.tokenizer.conflict(with: tokenizer) { conflicts.append(conflict) }
        guard conflicts.isEmpty else {
            throw ProgramFailure(
                .badInput,
                "--initialize-from \(path): its weights are not those of the configured model:\n  "
                    + conflicts.joined(separator: "\n  ")
                    + "\nSet what the checkpoint has, or choose another checkpoint.")
        }
        return changes.map { "--initialize-from: \($0)" }
    }
}
