// Study+Origins - compares the initial weights of runs, and notes unknown parts of their histories.

internal import Configuration
internal import Reporting

extension Study {
    /// Refuses pairs of runs with different initial weights.
    static func refuseOtherOrigins(_ arms: [Arm]) throws {
        var lines: [String] = []
        for arm in arms.dropFirst() {
            for (run, other) in zip(arm.runs, arms[0].runs) {
                guard let own = run.history?.origin, let base = other.history?.origin,
                    own.parameters != base.parameters
                else { continue }
                lines.append(
                    "\n  seed \(run.seed): \(run.directory) began with \(words(own)), \(other.directory) with "
                        + words(base))
            }
        }
        guard lines.isEmpty else {
            throw ProgramFailure(
                .badInput,
                "these runs did not begin with the same weights, so that a comparison would not be of losses; leave runs out, "
                    + "or train them alike:" + lines.joined())
        }
    }

    private static func words(_ origin: StartRecord) -> String {
        switch origin.origin {
        case .new: "weights of its seed"
        case .weights, .imported, .checkpoint: "those of \(origin.path ?? "a checkpoint")"
        }
    }

    /// Notes on the initial weights of the runs, and on unknown parts of their histories.
    var originNotes: [String] {
        var notes: [String] = []
        let trained = runs.compactMap { $0.history?.origin }.filter { $0.parameters != nil }
        if let first = trained.first {
            let others = Set(trained.map(\.parameters)).count
            notes.append(
                others == 1 && trained.count == runs.count
                    ? "All runs began with \(Self.words(first))."
                    : "\(trained.count) of \(runs.count) runs began with the weights of checkpoints, the runs of a pair with "
                        + "the same ones (one is \(first.path ?? "a checkpoint")).")
        }
        let unknown = runs.filter { $0.history?.origin == nil || ($0.history?.unknownSteps ?? 0) > 0 }
        if let first = unknown.first {
            let more = unknown.count > 1 ? " and \(unknown.count - 1) more" : ""
            let steps = first.history.map { " up to step \($0.unknownSteps)" } ?? ""
            notes.append(
                "How \(first.directory)\(steps)\(more) came about is not known, because \(StartsFile.name) does not tell (an "
                    + "earlier version did not write it): whether other weights were the beginning, or keys changed on the way, "
                    + "is not compared.")
        }
        return notes
    }
}
