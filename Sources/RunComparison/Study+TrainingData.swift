// Study+TrainingData - compares the training data of runs by the fingerprints in their checkpoints.

internal import Reporting
internal import TokenData

extension Study {
    /// Refuses runs with different fingerprints. Runs without one are compared by the paths in their configurations.
    static func refuseOtherData(_ runs: [RunRecord]) throws {
        guard let first = runs.first(where: { $0.data != nil }), let expected = first.data else { return }
        let lines = runs.flatMap { run in run.data.map { differences(first, expected, run, $0) } ?? [] }
        guard lines.isEmpty else {
            throw ProgramFailure(
                .badInput,
                "these runs were trained on other data under the same paths, by the fingerprints in their checkpoints; leave "
                    + "runs out, or train them alike:" + lines.map { "\n  " + $0 }.joined())
        }
    }

    private static func differences(
        _ first: RunRecord, _ expected: DataFingerprint, _ run: RunRecord, _ found: DataFingerprint
    ) -> [String] {
        guard found != expected else { return [] }
        let domains = expected.domains.compactMap { domain -> String? in
            guard let other = found.domains.first(where: { $0.name == domain.name }),
                (other.tokens, other.hash) != (domain.tokens, domain.hash)
            else { return nil }
            return
                "data.train \(domain.name): \(first.directory) has \(words(domain)), \(run.directory) has \(words(other))"
        }
        // The fingerprints differ in something else than tokens, for example in the tokenizer.
        return domains.isEmpty
            ? ["\(first.directory) has \(expected.json), \(run.directory) has \(found.json)"] : domains
    }

    private static func words(_ domain: DataFingerprint.Domain) -> String {
        let count = domain.tokens.map { "\($0) tokens" } ?? "endlessly many tokens"
        return "\(count) with the hash \(domain.hash.prefix(16))"
    }

    /// The note on how the equality of the data was checked.
    var dataNote: String {
        let without = runs.filter { $0.data == nil }.map(\.directory)
        let validation = "validation data are judged by their paths alone."
        guard let first = without.first else {
            return "The training data are the same by the fingerprints in the checkpoints of all runs; \(validation)"
        }
        guard without.count < runs.count else {
            return
                "That the data are the same is judged by their paths alone: no run has a checkpoint that can be read."
        }
        let more = without.count > 1 ? " and \(without.count - 1) more have" : " has"
        return
            "The training data are the same by the fingerprints in the checkpoints of \(runs.count - without.count) of "
            + "\(runs.count) runs, and by their paths alone for the rest (\(first)\(more) no checkpoint that can be read); "
            + validation
    }
}
