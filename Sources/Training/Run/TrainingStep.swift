// TrainingStep - one optimizer step: units, loss, backward, reduction, clip, update, all-gather.

public import Configuration
internal import JobRuntime
public import Kernels
public import LlamaModel
public import MessagePassing
internal import Optimization
internal import Planning
internal import Reporting
public import Sharding
internal import Tensors
public import TokenData

/// What a step found out; the same on every rank.
public struct StepOutcome: Sendable, Equatable {
    public var loss: NormalizedLoss
    /// Norm of the normalised gradient before clipping; NaN where the gradient could not be added.
    public var gradientNorm: Double
    public var learningRate: Double
    /// Positions of the step, ignored targets included.
    public var positions: Int
    /// The update was left out: something was not finite, the loss was a spike, or no target counted.
    public var isSkipped: Bool
    /// The weights of the step's targets sum to 0, as where all are ignored: the loss is undefined and not a number.
    public var isWithoutTargets = false
    /// The loss stands too far above those of the steps before.
    public var isSpike = false
    /// Some rank was asked to stop.
    public var isStopRequested: Bool
    /// Where what was not finite came from: ranks and sequences, for people.
    public var offendingRanks: [String] = []
    /// Sequences that each rank computed.
    public var rankSequences: [Int] = []
    /// Seconds for which each rank computed its units.
    public var rankSeconds: [Double] = []
}

/// The parts of a step and the buffers that they share. All ranks make the same calls.
public final class TrainingStep {
    private let configuration: RunConfiguration
    private let communicator: Communicator
    private let pool: ThreadPool
    private let stream: TrainingStream
    private let transformer: Transformer
    private let optimizer: ShardedOptimizer
    private var phases: PhaseRecorder { transformer.phases }
    /// Units of every rank.
    private let allUnits: [[WorkUnit]]
    private var units: [WorkUnit] { allUnits[communicator.rank] }
    private let ignoredTargets: Set<Int32>
    /// The micro-batch that is computed, filled anew for each one.
    private var batch: TokenBatch
    private let weighting: TokenWeighting
    /// What tests of the program spoil; nothing otherwise.
    private var faults = FaultInjection.none
    /// Seconds that this rank has computed in the current step.
    private var computeSeconds = 0.0

    private let layout: StepLayout
    /// Scaled gradients of the earlier micro-steps; empty unless there is more than one.
    private let accumulated: FloatSlice
    private var isReproducible: Bool { configuration.training.reproducible }

    public init(
        configuration: RunConfiguration, communicator: Communicator, pool: ThreadPool, stream: TrainingStream,
        transformer: Transformer, optimizer: ShardedOptimizer
    ) {
        self.configuration = configuration
        self.communicator = communicator
        self.pool = pool
        self.stream = stream
        self.transformer = transformer
        self.optimizer = optimizer
        ignoredTargets = Set(configuration.data.ignoredTargets)
        batch = TokenBatch(
            capacity: transformer.maximumSequences, sequenceLength: transformer.sequenceLength)
        weighting = configuration.loss.tokenWeighting
        let layout = StepLayout(configuration, ranks: communicator.size)
        self.layout = layout
        allUnits = (0..<communicator.size).map { layout.microBatches(rank: $0) }
        let microSteps = layout.accumulationSteps
        accumulated = Arena(count: microSteps > 1 ? transformer.gradient.count : 0).all
    }

    /// The step of a run's state, with the faults that the environment asks for.
    package convenience init(
        _ state: TrainingState, communicator: Communicator, pool: ThreadPool, stream: TrainingStream
    )
        throws
    {
        self.init(
            configuration: state.configuration, communicator: communicator, pool: pool, stream: stream,
            transformer: state.transformer, optimizer: state.optimizer)
        faults = try FaultInjection(rank: communicator.rank)
    }

    /// Runs the step that consumes the sequences from `position` on.
    ///
    /// - Parameters:
    ///   - step: its number, for the schedule.
    ///   - update: number of the optimizer's update if it is applied.
    ///   - isSpike: whether the step of a loss is to be left out; the same answer on every rank.
    ///   - mustGiveUp: this rank's wish to stop without finishing the step, which all learn before every unit but the first.
    ///   - isStopRequested: its wish to stop after the step, which all learn with the step's sums.
    ///   - finishesGather: whether all parameters are there on return; otherwise they arrive during the next step, and until
    ///     ``ShardedOptimizer/finishGather()`` only the owned ones may be read.
    /// - Returns: nil when the step was given up for a stop: parameters and moments are those of the step before.
    public func run(
        step: Int, update: Int, position: Int, isSpike: (Double) -> Bool = { _ in false },
        mustGiveUp: () -> Bool = { false }, finishesGather: Bool = true, isStopRequested: () -> Bool
    ) throws -> StepOutcome? {
        optimizer.beginStep()
        computeSeconds = 0
        let gradient =
            try layout.referenceRanks == nil
            ? globalGradient(step: step, position: position, mustGiveUp, isStopRequested)
            : referenceGradient(step: step, position: position, mustGiveUp, isStopRequested)
        guard let gradient else {
            phases.enter(.other)
            return nil
        }
        let (scale, reports) = (gradient.scale, gradient.reports)
        // 0 / 0 is no loss. An update by its gradient of 0 would still decay weights and moments.
        let isWithoutTargets = reports.total.weight == 0
        let loss = isWithoutTargets ? reports.total.undefinedLoss : gradient.loss
        // The norm reads the shard as the update does; what is exchanged for it is a few numbers.
        phases.enter(.optimizer)
        let isConverted = reports.ranks.allSatisfy { $0.overflow == .none }
        let norm = try isConverted ? optimizer.normSquared().squareRoot() * scale : .nan
        let rate = configuration.optimizer.learningRate * configuration.schedule.factor(step: step)
        var outcome = StepOutcome(
            loss: loss, gradientNorm: norm, learningRate: rate, positions: Int(reports.total.positions),
            isSkipped: !loss.loss.isFinite || !norm.isFinite, isStopRequested: reports.ranks.contains(where: \.stops),
            rankSequences: reports.ranks.map(\.sequences), rankSeconds: reports.ranks.map(\.seconds))
        outcome.isWithoutTargets = isWithoutTargets
        if isWithoutTargets {
            outcome.gradientNorm = .nan
            outcome.isSkipped = true
        } else if !outcome.isSkipped && isSpike(loss.loss) {
            outcome.isSpike = true
            outcome.isSkipped = true
        } else if outcome.isSkipped {
            outcome.offendingRanks = try offendingRanks(reports, position: position)
        } else {
            let clip = GradientNorm.clipFactor(norm: norm, clip: configuration.optimizer.gradientClip)
            try optimizer.startUpdate(
                configuration.optimizer.makeUpdate(learningRate: rate, number: update, gradientScale: scale * clip))
            if finishesGather { try phases.nested(.gather) { try optimizer.finishGather() } }
        }
        return outcome
    }

    private typealias Gradient = (loss: NormalizedLoss, scale: Double, reports: StepReports)

    /// Accumulates the unnormalised gradient over all units; the normaliser follows from the sums of all ranks.
    private func globalGradient(
        step: Int, position: Int, _ mustGiveUp: () -> Bool, _ isStopRequested: () -> Bool
    ) throws -> Gradient? {
        var sums: [LossSums] = []
        let most = allUnits.map(\.count).max() ?? 0
        let isDone = try forEachSlot(units, most: most, mustGiveUp) { index, unit in
            sums.append(
                try compute(
                    unit, step: step, at: position, isFirst: index == 0, isLast: index + 1 == units.count,
                    reduces: true))
        }
        guard isDone else { return nil }
        phases.enter(.reduction)
        if units.isEmpty { try optimizer.contributeNothing() }
        let reports = try report(sums, isStopRequested)
        try optimizer.finishReduction()
        let total = reports.total
        return (total.normalizedGlobally, total.globalGradientScale, reports)
    }

    /// Follows the authors' trainer: each micro-step is scaled by its own alpha before it is added.
    private func referenceGradient(
        step: Int, position: Int, _ mustGiveUp: () -> Bool, _ isStopRequested: () -> Bool
    ) throws -> Gradient? {
        let microSteps = layout.accumulationSteps
        // With a single micro-step the scale is one number and folds into the update. Otherwise each micro-step's fixed-point
        // sum is reduced by itself, because scaled sums of fewer units would round differently on other rank counts.
        let reducesEach = microSteps == 1 || isReproducible
        var all: [LossSums] = []
        var loss = 0.0
        var alpha = 0.0
        var scale = 1.0
        for microStep in 0..<microSteps {
            if microStep > 0, try anybody(mustGiveUp) { return nil }
            let lists = allUnits.map { $0.filter { $0.microStep == microStep } }
            let own = lists[communicator.rank]
            var sums: [LossSums] = []
            let isDone = try forEachSlot(own, most: lists.map(\.count).max() ?? 0, mustGiveUp) { index, unit in
                sums.append(
                    try compute(
                        unit, step: step, at: position, isFirst: index == 0, isLast: index + 1 == own.count,
                        reduces: reducesEach))
            }
            guard isDone else { return nil }
            if own.isEmpty {
                if reducesEach { try optimizer.contributeNothing() } else { pool.clear(transformer.gradient) }
            }
            phases.enter(.reduction)
            let everybody = try StepReports(communicator, units: lists, sums: sums, own: RankShare())
            let reference = ReferenceMicroStep(units: everybody.units.map(\.sums))
            all += sums
            loss += reference.loss / Double(microSteps)
            alpha += reference.alpha / Double(microSteps)
            // All units have the same number of positions, hence the same scale.
            let unitScale = reference.unitScales[0] / Double(microSteps)
            if reducesEach { try optimizer.finishReduction() }
            phases.enter(.other)
            if microSteps == 1 {
                scale = unitScale
            } else {
                if microStep == 0 { pool.clear(accumulated) }
                if reducesEach {
                    optimizer.addReduced(scaledBy: Float(unitScale), to: accumulated)
                } else {
                    pool.add(transformer.gradient, scaledBy: Float(unitScale), to: accumulated)
                }
            }
        }
        if microSteps > 1 {
            if reducesEach {
                optimizer.replaceReduced(by: accumulated)
            } else {
                pool.copy(accumulated, into: transformer.gradient)
                try optimizer.gradientIsFinal(from: 0)
            }
        }
        phases.enter(.reduction)
        let reports = try report(all, isStopRequested)
        if !reducesEach { try optimizer.finishReduction() }
        let plain = reports.total.normalizedGlobally
        let result = NormalizedLoss(
            loss: loss, crossEntropy: plain.crossEntropy, entropy: plain.entropy, alpha: alpha)
        return (result, scale, reports)
    }

    /// Runs `body` for this rank's units, with a look at everybody's wish to stop before every one but the first.
    ///
    /// All ranks look equally often: one with fewer units than `most` has its empty turns first, so that nobody looks again
    /// when the reductions of the last unit have begun.
    ///
    /// - Returns: false when a rank wants to stop.
    private func forEachSlot(
        _ units: [WorkUnit], most: Int, _ mustGiveUp: () -> Bool, _ body: (Int, WorkUnit) throws -> Void
    ) throws -> Bool {
        for slot in 0..<most {
            if slot > 0, try anybody(mustGiveUp) { return false }
            let index = slot - (most - units.count)
            if index >= 0 { try body(index, units[index]) }
        }
        return true
    }

    /// Whether `wish` is any rank's; collective.
    private func anybody(_ wish: () -> Bool) throws -> Bool {
        phases.enter(.reduction)
        return try communicator.isTrueOnAny(wish())
    }

    private func report(_ sums: [LossSums], _ isStopRequested: () -> Bool) throws -> StepReports {
        var own = RankShare()
        own.sequences = units.reduce(0) { $0 + $1.sequences.count }
        own.seconds = computeSeconds
        own.stops = isStopRequested()
        own.overflow = optimizer.overflow
        return try StepReports(communicator, units: allUnits, sums: sums, own: own)
    }

    /// Whose numbers were not finite; collective, in a step that all ranks know to be skipped.
    private func offendingRanks(_ reports: StepReports, position: Int) throws -> [String] {
        let known = reports.notFinite(position: position) + reports.unconverted(position: position)
        if !known.isEmpty { return known }
        // The losses are finite, so the gradient of some rank is not.
        let isSound = optimizer.localGradientIsFinite.map { $0 ? 1.0 : 0 } ?? 1
        let all = try communicator.allGather([isSound], counts: [Int](repeating: 1, count: communicator.size))
        return all.indices.filter { all[$0] == 0 }.map { rank in
            reports.place(of: rank, position) + " (a gradient that is not finite)"
        }
    }

    private func compute(
        _ unit: WorkUnit, step: Int, at position: Int, isFirst: Bool, isLast: Bool, reduces: Bool
    ) throws -> LossSums {
        let begin = ContinuousClock.now
        defer { computeSeconds += begin.secondsAgo }
        phases.enter(.data)
        let sequences = unit.sequences
        try stream.fill(&batch, with: (position + sequences.lowerBound)..<(position + sequences.upperBound))
        batch.ignoreTargets(ignoredTargets)
        let sums = try transformer.lossAndGradient(
            batch, weighting: weighting,
            adding: !isFirst && !isReproducible,
            isNeeded: { position in
                try phases.nested(.gather) { try optimizer.waitForParameters(before: position) }
            }
        ) { position in
            guard isReproducible || (isLast && reduces) else { return }
            if position == 0 { faults.spoil(transformer.gradient, step: step) }
            try phases.nested(.reduction) {
                try optimizer.gradientIsFinal(from: position, isFirst: isFirst, isLast: isLast && reduces)
            }
        }
        return faults.spoiled(sums, step: step)
    }
}
