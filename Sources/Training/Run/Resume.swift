// Resume - which checkpoint a run continues from, and whether it may (design section 5, "Resume").

internal import Checkpointing
internal import Configuration
internal import Evaluation
internal import Foundation
internal import MessagePassing
internal import Reporting
internal import TokenData
internal import Tokenizers

extension CheckpointIndex {
    /// Compares the checkpoint's run with the one that wants to continue it.
    ///
    /// - Returns: settings that differ and may.
    /// - Throws: status 2 naming every difference that may not be.
    func requireSameRun(
        as configuration: RunConfiguration, tokenizer: (any Tokenizers.Tokenizer)?, fingerprint: String
    ) throws -> [String] {
        var conflicts: [String] = []
        var changes: [String] = []
        if isImported {
            var imported = configuration
            imported.model = model
            (conflicts, changes) = configuration.comparison(with: imported)
        } else {
            let earlier = try RunConfiguration.fromJSON(self.configuration, file: "the checkpoint")
            (conflicts, changes) = configuration.comparison(with: earlier)
            let (now, before) = (try DataFingerprint(json: fingerprint), try DataFingerprint(json: dataFingerprint))
            conflicts += now.differences(from: before)
        }
        let isNamed = conflicts.contains { $0.hasPrefix("data.tokenizer:") }
        if !isNamed, let conflict = self.tokenizer.conflict(with: tokenizer) { conflicts.append(conflict) }
        guard conflicts.isEmpty else {
            throw ProgramFailure(
                .badInput,
                "the checkpoint is of another run:\n  " + conflicts.joined(separator: "\n  ")
                    + "\nContinue with its settings, choose another checkpoint.directory, or, where model and tokenizer are "
                    + "its own, start a new run from its weights with --initialize-from.")
        }
        return changes
    }
}
