// RunHistory - the configuration of each step of a run, and the run's initial weights.

package import Configuration
internal import Optimization
internal import Reporting

/// The history of a run's model, from `starts.jsonl`.
package struct RunHistory: Sendable {
    /// Consecutive steps of one configuration.
    struct Part: Sendable {
        var steps: ClosedRange<Int>
        var configuration: RunConfiguration
    }

    /// The start with the initial weights; nil if unknown.
    let origin: StartRecord?
    /// The last step of unknown configuration: steps 1 to this one are unknown.
    let unknownSteps: Int
    /// The known steps in their order; empty for a run without steps.
    let parts: [Part]

    /// Follows the starts of a run.
    ///
    /// - Parameters:
    ///   - records: all rows of the file; not empty.
    ///   - reachedStep: the last step of the run.
    init(_ records: [StartRecord], reachedStep: Int) {
        // Rows before the last new beginning, or before a row of unknown history, do not matter.
        let first = records.lastIndex { $0.origin.isBeginning || !$0.isHistoryKnown } ?? 0
        let story = records[first...]
        origin = story.first.flatMap { $0.origin.isBeginning ? $0 : nil }
        var parts: [Part] = []
        var unknownSteps = story.first?.fromStep ?? 0
        for record in story {
            // A start replaces the steps after the one that it continues from.
            unknownSteps = min(unknownSteps, record.fromStep)
            parts.removeAll { $0.steps.lowerBound > record.fromStep }
            if let last = parts.indices.last, parts[last].steps.upperBound > record.fromStep {
                parts[last].steps = parts[last].steps.lowerBound...record.fromStep
            }
            guard record.fromStep < reachedStep else { continue }
            parts.append(Part(steps: (record.fromStep + 1)...reachedStep, configuration: record.configuration))
        }
        self.unknownSteps = unknownSteps
        self.parts = parts
    }
}

extension RunHistory {
    /// Values over the steps of a run in words: `a`, or `a up to step 10, then b`.
    ///
    /// - Parameter phases: texts with their last steps, at least one. Neighbours with equal texts are merged.
    package static func words(_ phases: [(text: String, end: Int)]) -> String {
        var merged: [(text: String, end: Int)] = []
        for phase in phases {
            if merged.last?.text == phase.text { merged.removeLast() }
            merged.append(phase)
        }
        let earlier = merged.dropLast().map { "\($0.text) up to step \($0.end), " }.joined()
        return (earlier.isEmpty ? "" : earlier + "then ") + (merged.last?.text ?? "")
    }

    /// The history with the last schedule in place of each earlier one that had the same factors at all its steps.
    ///
    /// Why: a constant rate that was extended trained the same model as one configured so from the start.
    func unifyingSchedules() -> RunHistory {
        guard let last = parts.last?.configuration.schedule else { return self }
        let unified = parts.map { part in
            let own = part.configuration.schedule
            guard own != last, part.steps.allSatisfy({ own.factor(step: $0) == last.factor(step: $0) }) else {
                return part
            }
            var part = part
            part.configuration.schedule = last
            return part
        }
        return RunHistory(origin: origin, unknownSteps: unknownSteps, parts: unified)
    }

    private init(origin: StartRecord?, unknownSteps: Int, parts: [Part]) {
        self.origin = origin
        self.unknownSteps = unknownSteps
        self.parts = parts
    }
}

extension RunRecord {
    /// Name of the run's loss, or of its losses with their last steps.
    var lossName: String {
        guard let parts = history?.parts, !parts.isEmpty else { return Study.name(of: configuration.loss) }
        return RunHistory.words(parts.map { (Study.name(of: $0.configuration.loss), $0.steps.upperBound) })
    }

    /// Every key with its value. The text names the values of all steps if the key matters at each step.
    package static func settings(_ configuration: RunConfiguration, _ history: RunHistory?) -> [(
        key: String, text: String
    )] {
        let last = configuration.values
        guard let parts = history?.parts, !parts.isEmpty else { return last }
        let values = parts.map { (values: $0.configuration.values, end: $0.steps.upperBound) }
        return last.indices.map { index in
            let key = last[index].key
            guard KeyRole.isOfEachStep(key) else { return last[index] }
            return (key, RunHistory.words(values.map { ($0.values[index].text, $0.end) }))
        }
    }
}

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
