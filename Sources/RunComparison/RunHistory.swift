// RunHistory - the configuration of each step of a run, and the run's initial weights.

internal import Configuration
internal import Optimization
internal import Reporting

/// The history of a run's model, from `starts.jsonl`.
struct RunHistory: Sendable {
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
    static func words(_ phases: [(text: String, end: Int)]) -> String {
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
    static func settings(_ configuration: RunConfiguration, _ history: RunHistory?) -> [(
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
