// TrainingStep - one data parallel optimizer step from top to bottom: micro-batches, reduction, clip, update, report.

public import Configuration
internal import JobRuntime
internal import Kernels
public import LlamaModel
public import MessagePassing
internal import Optimization
internal import Planning
internal import Reporting
public import Sharding
internal import Tensors
public import TokenData

/// The parts of a step and the buffers that they share. All ranks make the same calls.
public final class TrainingStep {
    private let configuration: RunConfiguration
    private let communicator: Communicator
    private let stream: TrainingStream
    private let transformer: Transformer
    private let optimizer: ShardedOptimizer
    private let weighting: TokenWeighting
    private let ignoredTargets: Set<Int32>
    private let layout: StepLayout
    /// Micro-batches of every rank.
    private let microBatches: [[MicroBatch]]
    /// Micro-batches of every rank by accumulation step; `normalization: global` has one accumulation step.
    private let accumulationSteps: [[[MicroBatch]]]
    /// The micro-batch that is computed, filled anew for each one.
    private var batch: TokenBatch
    /// Numbers that tests of the program spoil; nothing otherwise.
    private var faults = FaultInjection.none
    /// Seconds that this rank has computed in the current step.
    private var computeSeconds = 0.0

    private var phases: PhaseRecorder { transformer.phases }

    public init(
        configuration: RunConfiguration, communicator: Communicator, stream: TrainingStream,
        transformer: Transformer, optimizer: ShardedOptimizer
    ) {
        self.configuration = configuration
        self.communicator = communicator
        self.stream = stream
        self.transformer = transformer
        self.optimizer = optimizer
        ignoredTargets = Set(configuration.data.ignoredTargets)
        batch = TokenBatch(
            capacity: transformer.maximumSequences, sequenceLength: transformer.sequenceLength,
            masksDocuments: configuration.data.documentMask)
        weighting = configuration.loss.tokenWeighting
        let layout = StepLayout(configuration, ranks: communicator.size)
        self.layout = layout
        let microBatches = (0..<communicator.size).map { layout.microBatches(rank: $0) }
        self.microBatches = microBatches
        accumulationSteps = (0..<layout.accumulationSteps).map { number in
            microBatches.map { $0.filter { $0.accumulationStep == number } }
        }
    }

    /// The step of a run's state, with the faults that the environment asks for.
    ///
    /// - Throws: status 2 for an unknown fault.
    package convenience init(
        _ state: TrainingState, communicator: Communicator, stream: TrainingStream
    ) throws {
        self.init(
            configuration: state.configuration, communicator: communicator, stream: stream,
            transformer: state.transformer, optimizer: state.optimizer)
        faults = try FaultInjection(rank: communicator.rank)
    }

    /// Runs the step that consumes the sequences of the stream from `firstSequence` on; collective.
    ///
    /// - Parameters:
    ///   - step: its number, for the schedule.
    ///   - update: number of the optimizer's update if it is applied.
    ///   - isSpike: whether the step of a loss is to be left out; the same answer on every rank.
    ///   - mustGiveUp: this rank's wish to stop without finishing the step, which all learn before every micro-batch but the
    ///     first.
    ///   - isStopRequested: its wish to stop after the step, which all learn with the step's sums.
    ///   - finishesGather: whether all parameters are there on return; otherwise they arrive during the next step, and until
    ///     ``ShardedOptimizer/finishGather()`` only the owned ones may be read.
    /// - Returns: nil when the step was given up for a stop: parameters and moments are those of the step before.
    /// - Throws: data that cannot be read, and errors of MPI. Either ends the job.
    public func run(
        step: Int, update: Int, firstSequence: Int, isSpike: (Double) -> Bool = { _ in false },
        mustGiveUp: () -> Bool = { false }, finishesGather: Bool = true, isStopRequested: () -> Bool
    ) throws -> StepOutcome? {
        computeSeconds = 0
        var normalization: StepNormalization =
            layout.referenceRanks == nil
            ? .global : .reference(.init(accumulationSteps: accumulationSteps.count))
        var sums: [LossSums] = []

        // Micro-batches: next batch, forward, loss, backward, accumulate. Each bucket's reduce-scatter starts during the last.
        let gradient = optimizer.beginStep()
        for (number, lists) in accumulationSteps.enumerated() {
            let own = lists[communicator.rank]
            let done = sums.count
            gradient.beginSum(microBatches: own.count)
            // All ranks look equally often whether anybody must stop. A rank with fewer micro-batches has its empty turns
            // first, so nobody looks again when the reductions of the last micro-batch have begun.
            let turns = lists.map(\.count).max() ?? 0
            for turn in 0..<turns {
                if number > 0 || turn > 0, try anybody(mustGiveUp) {
                    gradient.discard()
                    phases.enter(.other)
                    return nil
                }
                let index = turn - (turns - own.count)
                guard index >= 0 else { continue }
                sums.append(try compute(own[index], step: step, firstSequence: firstSequence, into: gradient))
            }
            phases.enter(.reduction)
            if own.isEmpty { try gradient.contributeZeros() }
            guard case .reference(var reference) = normalization else { continue }
            let everybody = try StepReports(
                communicator, microBatches: lists, sums: Array(sums[done...]), own: RankShare())
            let factor = reference.add(everybody.microBatches.map(\.sums))
            normalization = .reference(reference)
            guard accumulationSteps.count > 1 else { continue }
            try gradient.finishSum()
            phases.enter(.other)
            try gradient.addSum(scaledBy: Float(factor))
        }

        // Reduce-scatter: the sums of all ranks travel beside the gradient's last buckets.
        phases.enter(.reduction)
        let reports = try StepReports(
            communicator, microBatches: microBatches, sums: sums, own: ownShare(isStopRequested, gradient.overflow))
        let reduced = try gradient.finish()

        // Norm and clip. The norm reads the shard as the update does; a few numbers are exchanged for it.
        phases.enter(.optimizer)
        var (loss, scale) = normalization.result(reports.total)
        // 0 / 0 is no loss. An update by its gradient of 0 would still decay weights and moments.
        let isWithoutTargets = reports.total.weight == 0
        if isWithoutTargets { loss = reports.total.undefinedLoss }
        let isConverted = reports.ranks.allSatisfy { $0.overflow == .none }
        let norm = try isConverted ? reduced.normSquared().squareRoot() * scale : .nan
        let rate = configuration.optimizer.learningRate * configuration.schedule.factor(step: step)
        var outcome = StepOutcome(
            loss: loss, gradientNorm: norm, learningRate: rate, tokens: Int(reports.total.positions),
            isSkipped: !loss.loss.isFinite || !norm.isFinite, isStopRequested: reports.ranks.contains(where: \.stops),
            rankSequences: reports.ranks.map(\.sequences), rankSeconds: reports.ranks.map(\.seconds))

        // Update of the owned shard, then all-gather of the parameters, beside the next forward pass; or a skipped step.
        outcome.isWithoutTargets = isWithoutTargets
        if isWithoutTargets {
            outcome.gradientNorm = .nan
            outcome.isSkipped = true
            reduced.discard()
        } else if !outcome.isSkipped && isSpike(loss.loss) {
            outcome.isSpike = true
            outcome.isSkipped = true
            reduced.discard()
        } else if outcome.isSkipped {
            outcome.offendingRanks = try offendingRanks(reports, reduced, firstSequence: firstSequence)
            reduced.discard()
        } else {
            let clip = GradientNorm.clipFactor(norm: norm, clip: configuration.optimizer.gradientClip)
            try reduced.update(
                configuration.optimizer.makeUpdate(learningRate: rate, number: update, gradientScale: scale * clip))
            if finishesGather { try phases.nested(.gather) { try optimizer.finishGather() } }
        }
        return outcome
    }

    /// Computes one micro-batch: next batch, forward, loss, backward. Its gradient is accumulated.
    private func compute(
        _ microBatch: MicroBatch, step: Int, firstSequence: Int, into gradient: borrowing AccumulatingGradient
    ) throws -> LossSums {
        let begin = ContinuousClock.now
        defer { computeSeconds += begin.secondsAgo }
        phases.enter(.data)
        let sequences = microBatch.sequences
        try stream.fill(
            &batch, with: (firstSequence + sequences.lowerBound)..<(firstSequence + sequences.upperBound))
        batch.ignoreTargets(ignoredTargets)
        if configuration.data.maskDocumentStarts { batch.ignoreDocumentStarts() }
        gradient.beginMicroBatch()
        let sums = try transformer.lossAndGradient(
            batch, weighting: weighting, adding: gradient.backwardAdds,
            isNeeded: { end in
                try phases.nested(.gather) { try optimizer.waitForParameters(before: end) }
            },
            isFinal: { start in
                guard gradient.usesFinalElements else { return }
                if start == 0 { faults.spoil(transformer.gradient, step: step) }
                try phases.nested(.reduction) { try gradient.isFinal(from: start) }
            })
        return faults.spoiled(sums, step: step)
    }

    /// Whether `wish` is any rank's; collective.
    private func anybody(_ wish: () -> Bool) throws -> Bool {
        phases.enter(.reduction)
        return try communicator.isTrueOnAny(wish())
    }

    /// The report of this rank.
    private func ownShare(_ isStopRequested: () -> Bool, _ overflow: FixedPoint.Overflow) -> RankShare {
        var own = RankShare()
        own.sequences = microBatches[communicator.rank].reduce(0) { $0 + $1.sequences.count }
        own.seconds = computeSeconds
        own.stops = isStopRequested()
        own.overflow = overflow
        return own
    }

    /// Ranks whose numbers were not finite, and their sequences; collective, in a step that all ranks know to be skipped.
    private func offendingRanks(
        _ reports: StepReports, _ reduced: borrowing ReducedGradient, firstSequence: Int
    ) throws -> [String] {
        let known = reports.notFinite(from: firstSequence) + reports.unconverted(from: firstSequence)
        if !known.isEmpty { return known }
        // The losses are finite, so the gradient of some rank is not.
        let isSound = reduced.localIsFinite.map { $0 ? 1.0 : 0 } ?? 1
        let all = try communicator.allGather([isSound], counts: [Int](repeating: 1, count: communicator.size))
        return all.indices.filter { all[$0] == 0 }.map { rank in
            reports.location(of: rank, firstSequence) + " (a gradient that is not finite)"
        }
    }
}
