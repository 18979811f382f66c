// RunSaves - when a run saves, its messages about saves, and the failures that it survives.

internal import Checkpointing
internal import Configuration
internal import Foundation
internal import JobRuntime
internal import MessagePassing
internal import Optimization
internal import Reporting
internal import Sharding
internal import Tensors
internal import TokenData

/// The saves of one run; every method that throws is collective.
///
/// A save that fails while training goes on is a warning: the next one may succeed, once there is space. It ends the
/// run in two cases. The last save of a run, like one of step 0 that was asked for, must succeed, because the exit
/// status promises that everything is saved. And a checkpoints directory that the ranks do not share is a mistake in
/// the configuration, which no waiting mends: until a save of this run has succeeded, that is an error.
final class RunSaves {
    private let communicator: Communicator
    private let console: Console
    private let saver: CheckpointSaver
    private let state: TrainingState
    private let metrics: (any MetricsSink)?
    private let tokenizer: CheckpointIndex.Tokenizer
    private let fingerprint: String
    private let processor = MachineIdentity.processor
    /// Step of the newest checkpoint in the run's own directory, as far as this run knows.
    private var savedStep: Int?
    private var hasSaved = false
    /// The newest checkpoint that a later run can continue from.
    private var newest: String?
    private var hasWarnedOfWaiting = false
    private var longestSeconds = 0.0

    private var configuration: RunConfiguration { state.configuration }

    /// - Parameters:
    ///   - metrics: gets a row per save; nil on all ranks but 0.
    ///   - newest: the checkpoint that this run continues, if any.
    ///   - savedStep: its step, if it lies where this run saves: it need not be saved again.
    init(
        communicator: Communicator, console: Console, saver: CheckpointSaver, state: TrainingState,
        metrics: (any MetricsSink)?, tokenizer: CheckpointIndex.Tokenizer, fingerprint: String, newest: String?,
        savedStep: Int? = nil
    ) {
        self.communicator = communicator
        self.console = console
        self.saver = saver
        self.state = state
        self.metrics = metrics
        self.tokenizer = tokenizer
        self.fingerprint = fingerprint
        self.newest = newest
        self.savedStep = savedStep
    }

    /// After each step: learns whether a save in flight has ended.
    func poll() throws {
        guard saver.isInFlight, let outcome = try saver.poll() else { return }
        // A save that is due now has not been started yet.
        try report(outcome, next: nextSave(from: state.progress.step))
    }

    /// Before a step: where one is due to be saved, waits for the save before it. Then a process that dies never loses as
    /// many as two intervals.
    func makeRoom(for step: Int) throws {
        if step % configuration.checkpoint.every == 0 { try finishEarlier(next: step) }
    }

    private func finishEarlier(next: Int) throws {
        guard let running = saver.inFlight else { return }
        // With a save after every step there is no step in between that it could have used.
        if running.step < state.progress.step { warnOfWaiting(for: running) }
        try settle(next: next)
    }

    /// Starts the regular save of the current step; training may go on as soon as this returns.
    func start() throws {
        let now = state.progress.step
        try finishEarlier(next: now)
        if let failure = try saver.start(index()) {
            try report(.failed(step: now, failure), next: nextSave(from: now + 1))
        }
    }

    /// Returns once the current step is saved; a failure ends the run.
    func finish() throws {
        let now = state.progress.step
        try settle(next: now)
        guard savedStep != now else { return }
        let failure = try saver.start(index())
        let outcome = try failure.map { .failed(step: now, $0) } ?? saver.wait()
        if case .failed(_, let failure) = outcome {
            throw ProgramFailure(
                .runtimeFailure,
                "step \(now) could not be saved: \(failure.message). "
                    + (newest.map { "The newest good checkpoint is \($0)." } ?? "There is no checkpoint of this run."),
                isShared: true)
        }
        try report(outcome, next: now)
    }

    /// An error ends the run: where all ranks are at the same place, a save in flight is finished first. It may hold
    /// the last good state.
    ///
    /// - Returns: what to throw. A single rank that failed must not wait for the others: its job is aborted.
    func settle(after error: any Error) -> any Error {
        let isShared = (error as? ProgramFailure)?.isShared == true
        guard saver.isInFlight, isShared || communicator.size == 1 else { return error }
        do {
            try settle(next: nil)
            return error
        } catch let second {
            let failure = ProgramFailure(error)
            return ProgramFailure(
                failure.status, "\(failure.message)\nAnd the save that was in flight failed: \(second)",
                isShared: (second as? ProgramFailure)?.isShared == true)
        }
    }

    /// Seconds that a save of a later step may take, and what is left of the one in flight: file systems slow down when
    /// many jobs end, so twice the longest.
    var reserveSeconds: Double {
        let running = saver.inFlight?.seconds ?? 0
        // A cautious guess before the first save: parameters and state through a file system of 50 MB/s, once.
        guard longestSeconds > 0 else {
            let bytes = state.configuration.optimizer.savedBytesPerParameter * state.table.count
            return max(Double(bytes) / 50e6, 2 * running)
        }
        let longest = max(longestSeconds, running)
        return (saver.isInFlight ? 3 : 2) * longest
    }

    /// Waits for a save in flight.
    private func settle(next: Int?) throws {
        guard saver.isInFlight else { return }
        try report(saver.wait(), next: next)
    }

    /// - Parameter next: step of the next save; nil where there is none, because the run is ending.
    private func report(_ outcome: SaveOutcome, next: Int?) throws {
        switch outcome {
        case .saved(let saved): try record(saved)
        case .failed(let step, let failure):
            let text = "the save of step \(step) failed: \(failure.message)"
            if failure.isNotShared && !hasSaved {
                throw ProgramFailure(.runtimeFailure, text, isShared: true)
            }
            console.warning(
                text + (next.map { "; training goes on; the next save is at step \($0)" } ?? "")
                    + "; older checkpoints are untouched")
        }
    }

    private func record(_ saved: SavedCheckpoint) throws {
        savedStep = saved.step
        hasSaved = true
        newest = saved.path
        longestSeconds = max(longestSeconds, saved.writeSeconds)
        console.line(
            "saved \(saved.path) "
                + String(format: "(stalled %.2f s, written in %.2f s)", saved.stallSeconds, saved.writeSeconds))
        for problem in saved.problems { console.warning(problem) }
        try metrics?.append(saved.json)
    }

    private func warnOfWaiting(for running: (step: Int, seconds: Double)) {
        guard !hasWarnedOfWaiting else { return }
        hasWarnedOfWaiting = true
        console.warning(
            "checkpoint.every \(configuration.checkpoint.every) is shorter than a save takes: the one of step "
                + String(format: "%d is being written for %.2f s, ", running.step, running.seconds)
                + "and training waits for it before each next one")
    }

    /// The first step from `step` on after which a save is due.
    private func nextSave(from step: Int) -> Int {
        let every = configuration.checkpoint.every
        return min((step + every - 1) / every * every, configuration.lastStep)
    }

    /// The index of the current step's checkpoint, without its shards.
    private func index() -> CheckpointIndex {
        let progress = state.progress
        return CheckpointIndex(
            step: progress.step, position: progress.position, tokens: progress.tokens,
            optimizerSteps: progress.updates, configuration: configuration.json, seed: configuration.training.seed,
            model: configuration.model,
            tokenizer: tokenizer, dataFingerprint: fingerprint, processor: processor, blas: state.gemmIdentity,
            ranksWritten: communicator.size, shards: [], recentLosses: state.spikes.losses,
            skippedInARow: progress.skippedInARow, tokenCounts: state.tokenCounts,
            withheldTokens: state.withheldTokens, stateTensors: state.optimizer.state.map(\.name))
    }
}
