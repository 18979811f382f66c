// TrainingRun - the loop over steps: metrics, progress, evaluation, checkpoints, stopping.

internal import Configuration
internal import Evaluation
internal import Foundation
internal import JobRuntime
internal import Kernels
internal import LlamaModel
internal import MessagePassing
internal import Optimization
internal import Reporting
internal import Sharding
internal import Tensors
internal import TokenData

/// A run whose state is filled. Every decision that ends or skips something is taken by all ranks alike.
final class TrainingRun {
    let process: ProcessContext
    let configuration: RunConfiguration
    let data: RunData
    let state: TrainingState
    let pool: ThreadPool
    /// The best possible CE on held-out sequences where it is known (synthetic data), nats.
    let bestPossibleLoss: Double?
    private(set) var lastEvaluation: EvaluationResult?

    private let saves: RunSaves
    /// Receives a row per step and evaluation; nil on all ranks but 0.
    private let metrics: (any MetricsSink)?
    /// Tells which steps earlier starts evaluated; nil on all ranks but 0.
    private let earlier: MetricsFile?
    private let started: ContinuousClock.Instant
    private let step: TrainingStep
    private let evaluator: Evaluator
    private let mixture: MixtureReport
    private var line: ProgressLine
    private var profiler: Profiler?
    private var activity = Activity.step(0)
    private var longestStepSeconds = 0.0
    private var longestEvaluationSeconds = 0.0
    private var left = LeftOut()

    private var communicator: Communicator { process.communicator }
    private var console: Console { process.console }

    init(
        process: ProcessContext, configuration: RunConfiguration, data: RunData, state: TrainingState, saves: RunSaves,
        metrics: (any MetricsSink)?, earlier: MetricsFile?, pool: ThreadPool, started: ContinuousClock.Instant
    ) throws {
        self.process = process
        self.configuration = configuration
        self.data = data
        self.state = state
        self.saves = saves
        self.metrics = metrics
        self.earlier = earlier
        self.pool = pool
        self.started = started
        step = try TrainingStep(state, communicator: process.communicator, stream: data.training)
        evaluator = Evaluator(
            communicator: process.communicator, transformer: state.transformer, domains: data.validation,
            limit: configuration.evaluation.sequences, ignoredTargets: configuration.data.ignoredTargets,
            masksDocuments: configuration.data.documentMask,
            ignoresDocumentStarts: configuration.data.maskDocumentStarts, tokenizer: data.tokenizer,
            frequencies: state.tokenCounts.isEmpty
                ? nil
                : FrequencyBuckets(counts: state.tokenCounts, ignoredTargets: configuration.data.ignoredTargets))
        mixture = MixtureReport(data.training)
        bestPossibleLoss = Self.bestPossibleLoss(data, configuration)
        line = ProgressLine(totalSteps: configuration.schedule.totalSteps, bestPossibleLoss: bestPossibleLoss)
    }

    /// The Bayes predictor's CE on the sequences that are evaluated, where both training and validation are synthetic.
    private static func bestPossibleLoss(_ data: RunData, _ configuration: RunConfiguration) -> Double? {
        let all = data.training.domains + data.validation
        guard !data.validation.isEmpty, all.allSatisfy({ $0.source is SyntheticSource }) else { return nil }
        let limit = configuration.evaluation.sequences
        let count = limit > 0 ? min(limit, SyntheticSource.heldOutCount) : SyntheticSource.heldOutCount
        return SyntheticLanguage.embedded.bestPossibleLoss(
            sequenceLength: configuration.data.sequenceLength, heldOutCount: count)
    }

    /// Runs to the last step and returns 0, or saves and returns 75 when it has to stop before.
    func loop() throws -> ExitStatus {
        let last = configuration.lastStep
        try startWatchdog()
        defer { communicator.stopWatchdog() }
        if try isEvaluationMissing(), try !evaluate() {
            console.line("stopped early at step \(state.progress.step), saved before; run the same command to continue")
            return .stoppedEarly
        }
        if state.progress.step >= last {
            console.line("nothing to do: the checkpoint is at step \(state.progress.step), \(placeOfCheckpoint)")
            try requireUpdate()
            return .done
        }
        if configuration.logging.profile {
            profiler = try Profiler(communicator, console, state.phases, directory: configuration.logging.directory)
        }
        while state.progress.step < last {
            activity = .save(step: state.progress.step)
            try saves.makeRoom(for: state.progress.step + 1)
            guard var mustStop = try advance() else {
                try profiler?.close()
                return try stopWithinStep()
            }
            try saves.poll()
            let now = state.progress.step
            let isDue = now % configuration.evaluation.every == 0 || now == last
            // The next step's forward pass waits for each layer's parameters as it comes to it; all else for all of them.
            if isDue || now == last || mustStop { try state.optimizer.finishGather() }
            var isEvaluated = true
            if isDue {
                // A signal during the evaluation is not left waiting for its end; the next start makes up for it.
                isEvaluated = try evaluate()
                mustStop = try communicator.isTrueOnAny(isStopRequested()) || mustStop || !isEvaluated
            }
            let isLast = now == last
            activity = .save(step: now)
            if !isLast && !mustStop && now % configuration.checkpoint.every == 0 {
                try saves.start()
            }
            if isLast || mustStop { try saves.finish() }
            if mustStop && !(isLast && isEvaluated) {
                try profiler?.close()
                reportMixture()
                console.line("stopped early at step \(now) with everything saved; run the same command to continue")
                return .stoppedEarly
            }
        }
        try profiler?.close()
        reportMixture()
        try requireUpdate()
        console.line(
            "done: step \(last) of \(configuration.schedule.totalSteps), \(ProgressLine.duration(started.secondsAgo))")
        return .done
    }

    /// Whether there is something to train or to evaluate; collective.
    func hasWork() throws -> Bool { try state.progress.step < configuration.lastStep || isEvaluationMissing() }

    /// Where a checkpoint stands that has nothing to be trained after it.
    private var placeOfCheckpoint: String {
        let last = configuration.lastStep
        let key = last < configuration.schedule.totalSteps ? "training.stop_at_step" : "schedule.total_steps"
        return state.progress.step == last
            ? "the last one of this run" : "beyond the last one of this run, step \(last) (\(key))"
    }

    /// A run that never changed its model has done nothing, whatever its steps were: an error of all ranks.
    private func requireUpdate() throws {
        guard state.progress.updates == 0 else { return }
        throw ProgramFailure(
            .runtimeFailure,
            "the run came to step \(state.progress.step) without a single update, so that its model is the one that it began "
                + "with\(left.words). Change what caused that, and begin anew in another logging.directory or with the "
                + "checkpoints moved away.", isShared: true)
    }

    /// Saves the step before one that was given up for a stop.
    private func stopWithinStep() throws -> ExitStatus {
        activity = .save(step: state.progress.step)
        try state.optimizer.finishGather()
        try saves.finish()
        reportMixture()
        console.line(
            "stopped early at step \(state.progress.step) with everything saved, within the next step, which was given up; run "
                + "the same command to continue")
        return .stoppedEarly
    }

    /// Prints the sequences of every domain since step 1.
    private func reportMixture() {
        for line in mixture.table(state.progress.position) { console.line(line) }
    }

    private func startWatchdog() throws {
        activity = .step(state.progress.step + 1)
        let limit = configuration.training.watchdogSeconds
        guard limit > 0 else { return }
        try communicator.startWatchdog(limitSeconds: Double(limit)) { [unowned self] in
            activity.text(in: state.phases.phase)
        }
    }

    /// One step; returns whether the run has to stop after it, or nil when the step was given up for a stop.
    private func advance() throws -> Bool? {
        let begin = ContinuousClock.now
        let number = state.progress.step + 1
        activity = .step(number)
        profiler?.stepBegins()
        let outcome = try step.run(
            step: number, update: state.progress.updates + 1, firstSequence: state.progress.position,
            isSpike: state.spikes.isSpike, mustGiveUp: mustGiveUp, finishesGather: false,
            isStopRequested: isStopRequested)
        guard let outcome else { return nil }
        state.progress.step = number
        state.progress.position += configuration.training.globalBatchSize
        state.progress.tokens += outcome.tokens
        if !outcome.isSkipped {
            state.progress.updates += 1
            state.spikes.record(outcome.loss.loss)
        }
        let elapsed = begin.secondsAgo
        let phases = try profiler?.stepEnds(number)
        longestStepSeconds = max(longestStepSeconds, elapsed)
        let row = StepMetrics(
            step: number, tokens: state.progress.tokens, loss: outcome.loss.loss,
            crossEntropy: outcome.loss.crossEntropy, entropy: outcome.loss.entropy, alpha: outcome.loss.alpha,
            learningRate: outcome.learningRate, gradientNorm: outcome.gradientNorm, stepSeconds: elapsed,
            tokensPerSecond: Double(outcome.tokens) / elapsed, isSkipped: outcome.isSkipped,
            isWithoutTargets: outcome.isWithoutTargets, rankSequences: outcome.rankSequences,
            rankSeconds: outcome.rankSeconds,
            mixture: metrics == nil ? nil : mixture.fractions(state.progress.position), phases: phases)
        try metrics?.append(row.json)
        let text = line.text(row)
        if number % configuration.logging.every == 0 || number == configuration.lastStep {
            console.progress(text)
        }
        try countSkipped(outcome, step: number)
        return outcome.isStopRequested
    }

    private func countSkipped(_ outcome: StepOutcome, step: Int) throws {
        guard outcome.isSkipped else {
            state.progress.skippedInARow = 0
            return
        }
        if outcome.isWithoutTargets {
            // Nothing went wrong in it, so it neither adds to the row of skipped steps nor ends it.
            left.withoutTargets += 1
            if left.withoutTargets == 1 {
                let ignoring =
                    configuration.data.maskDocumentStarts
                    ? "data.ignored_targets and data.mask_document_starts ignore" : "data.ignored_targets ignores"
                console.warning(
                    "step \(step) has no target that counts (\(ignoring) all of them, or loss.kind gives "
                        + "each the weight 0): its loss is null, and it updates nothing. This is said once; such rows of "
                        + "metrics.jsonl have \"no_targets\": true")
            }
            return
        }
        left.skipped += 1
        state.progress.skippedInARow += 1
        let skippedInARow = state.progress.skippedInARow
        let end = state.progress.position
        let all = "sequences \(end - configuration.training.globalBatchSize) ..< \(end) of all ranks"
        let offendingRanks = outcome.offendingRanks.isEmpty ? all : outcome.offendingRanks.joined(separator: "; ")
        let score = outcome.isSpike ? state.spikes.score(outcome.loss.loss) ?? 0 : 0
        let spike = String(
            format: " is %.1f standard deviations above the last %d (training.spike_z_score)", score,
            state.spikes.losses.count)
        console.warning(
            "step \(step) was skipped: loss \(words(outcome.loss.loss))\(outcome.isSpike ? spike : ""), gradient norm "
                + "\(words(outcome.gradientNorm)); it came from \(offendingRanks)")
        let limit = configuration.training.maximumSkippedSteps
        if skippedInARow > limit {
            throw ProgramFailure(
                .runtimeFailure,
                "\(skippedInARow) steps in a row were skipped (training.maximum_skipped_steps is \(limit)); the last one, "
                    + "step \(step), because of \(offendingRanks). Continue from an older checkpoint with a lower learning rate.",
                isShared: true)
        }
    }

    /// A number for people; the sign of a NaN says nothing.
    private func words(_ value: Double) -> String { value.isNaN ? "not a number" : "\(value)" }

    /// Whether an earlier run took this step and was stopped before its evaluation had ended.
    private func isEvaluationMissing() throws -> Bool {
        let now = state.progress.step
        guard !evaluator.isEmpty, now > 0,
            now % configuration.evaluation.every == 0 || now == configuration.lastStep
        else { return false }
        let isMissing = try communicator.agreed { try earlier?.lacksEvaluation(step: now) ?? false }
        return try communicator.isTrueOnAny(isMissing)
    }

    /// - Returns: false when it was given up because a rank has to stop.
    private func evaluate() throws -> Bool {
        guard !evaluator.isEmpty else { return true }
        let now = state.progress.step
        activity = .evaluation(afterStep: now)
        let begin = ContinuousClock.now
        var shown = OccasionalProgress(console)
        let result = try evaluator.run(
            mustGiveUp: mustGiveUp, progress: { shown.show("evaluating after step \(now)", share: $0) })
        guard let result else { return false }
        lastEvaluation = result
        longestEvaluationSeconds = max(longestEvaluationSeconds, begin.secondsAgo)
        try metrics?.append(result.json(step: now))
        var text = String(format: "evaluation after step %d: validation_ce %.4f", now, result.crossEntropy)
        if let bestPossibleLoss { text += String(format: " (floor %.4f)", bestPossibleLoss) }
        if result.domains.count > 1 {
            text +=
                "  "
                + result.domains.map { String(format: "%@ %.4f", $0.name, $0.crossEntropy) }
                .joined(separator: "  ") + String(format: "  uniform mean %.4f", result.uniformMean)
        }
        console.line(text)
        return true
    }

    /// This rank's wish to stop after the current step: a signal, or on rank 0 the time limit coming near.
    private func isStopRequested() -> Bool {
        // Room for the step and the evaluation that may follow, and for the last save.
        StopRequest.signalNumber != 0 || isTimeUp(reserving: longestStepSeconds + longestEvaluationSeconds)
    }

    /// Its wish to stop in the middle of a step or an evaluation, which are lost: there is time for the save only.
    private func mustGiveUp() -> Bool { StopRequest.signalNumber != 0 || isTimeUp(reserving: 0) }

    private func isTimeUp(reserving seconds: Double) -> Bool {
        guard communicator.rank == 0, let limit = configuration.training.timeLimitSeconds else { return false }
        return started.secondsAgo + seconds + saves.reserveSeconds >= Double(limit)
    }
}

/// Steps that a start of a run took without an update, by their reason.
private struct LeftOut {
    var withoutTargets = 0
    /// For numbers that were not finite, and spikes.
    var skipped = 0

    /// Continues a sentence.
    var words: String {
        var parts: [String] = []
        if withoutTargets > 0 { parts.append("steps without a target that counts: \(withoutTargets)") }
        if skipped > 0 { parts.append("steps skipped, each with a warning: \(skipped)") }
        return parts.isEmpty ? "" : " (\(parts.joined(separator: "; ")))"
    }
}
