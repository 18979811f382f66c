// TrainingStep - one optimizer step: units, loss, backward, reduction, clip, AdamW, all-gather.

public import Configuration
public import Kernels
public import LlamaModel
public import MessagePassing
internal import Optimization
public import Sharding
public import Tensors
public import TokenData

/// What a step found out; the same on every rank.
public struct StepOutcome: Sendable, Equatable {
    public var loss: NormalizedLoss
    /// Norm of the normalised gradient before clipping.
    public var gradientNorm: Double
    public var learningRate: Double
    /// Positions of the step, ignored targets included.
    public var positions: Int
    /// Something was not finite, and the update was left out.
    public var isSkipped: Bool
    /// Some rank was asked to stop.
    public var isStopRequested: Bool
}

/// The parts of a step and the buffers that they share. All ranks make the same calls.
public final class TrainingStep {
    private let configuration: RunConfiguration
    private let communicator: Communicator
    private let pool: ThreadPool
    private let stream: TrainingStream
    private let transformer: Transformer
    private let optimizer: ShardedOptimizer
    private let gradient: FloatSlice
    private var phases: PhaseRecorder { transformer.phases }
    private let units: [WorkUnit]
    private let ignoredTargets: Set<Int32>

    /// Units that form a micro-step of the authors' trainer; nil for the global normalisation.
    private let referenceRanks: Int?
    /// Scaled gradients of the earlier micro-steps; empty unless there is more than one.
    private let accumulated: FloatSlice

    public init(
        configuration: RunConfiguration, communicator: Communicator, pool: ThreadPool, stream: TrainingStream,
        transformer: Transformer, optimizer: ShardedOptimizer, gradient: FloatSlice
    ) {
        self.configuration = configuration
        self.communicator = communicator
        self.pool = pool
        self.stream = stream
        self.transformer = transformer
        self.optimizer = optimizer
        self.gradient = gradient
        ignoredTargets = Set(configuration.data.ignoredTargets)
        referenceRanks = Self.referenceRanks(configuration, ranks: communicator.size)
        units = Self.units(configuration, rank: communicator.rank, ranks: communicator.size)
        let microSteps = Self.microStepCount(configuration, ranks: communicator.size)
        accumulated = Arena(count: microSteps > 1 ? gradient.count : 0).all
    }

    /// The step of a run's state.
    convenience init(_ state: TrainingState, communicator: Communicator, pool: ThreadPool, stream: TrainingStream) {
        self.init(
            configuration: state.configuration, communicator: communicator, pool: pool, stream: stream,
            transformer: state.transformer, optimizer: state.optimizer, gradient: state.gradient)
    }

    /// Ranks that a micro-step of the authors' trainer has, or nil for `normalization: global`.
    public static func referenceRanks(_ configuration: RunConfiguration, ranks: Int) -> Int? {
        guard configuration.loss.normalization == .reference else { return nil }
        return configuration.loss.referenceRanks > 0 ? configuration.loss.referenceRanks : ranks
    }

    /// Micro-steps that are scaled one by one before they are added: 1 for `normalization: global`. The same on every
    /// rank, whether it has a unit or not.
    static func microStepCount(_ configuration: RunConfiguration, ranks: Int) -> Int {
        guard let parts = referenceRanks(configuration, ranks: ranks) else { return 1 }
        return configuration.training.globalBatchSize / (configuration.training.microBatchSize * parts)
    }

    /// The units of one rank.
    public static func units(_ configuration: RunConfiguration, rank: Int, ranks: Int) -> [WorkUnit] {
        let (B, m) = (configuration.training.globalBatchSize, configuration.training.microBatchSize)
        if let referenceRanks = referenceRanks(configuration, ranks: ranks) {
            return WorkShare.referenceUnits(
                globalBatchSize: B, microBatchSize: m, referenceRanks: referenceRanks, rank: rank, rankCount: ranks)
        }
        return WorkShare.units(globalBatchSize: B, microBatchSize: m, rank: rank, rankCount: ranks)
    }

    /// Runs the step that consumes the sequences from `position` on.
    ///
    /// - Parameters:
    ///   - step: its number, for the schedule.
    ///   - update: number of AdamW's update if it is applied.
    ///   - isStopRequested: this rank's wish to stop after the step; all ranks learn of it with the step's sums.
    public func run(step: Int, update: Int, position: Int, isStopRequested: () -> Bool) throws -> StepOutcome {
        let (loss, scale, positions, stops) =
            try referenceRanks == nil
            ? globalGradient(position: position, isStopRequested: isStopRequested)
            : referenceGradient(position: position, isStopRequested: isStopRequested)
        try optimizer.finishReduction()
        // The norm reads the shard as the update does; what is exchanged for it is a few numbers.
        phases.enter(.optimizer)
        let norm = try optimizer.normSquared().squareRoot() * scale
        let rate = configuration.optimizer.learningRate * configuration.schedule.factor(step: step)
        let isFinite = loss.loss.isFinite && norm.isFinite
        if isFinite {
            let clip = GradientNorm.clipFactor(norm: norm, clip: configuration.optimizer.gradientClip)
            try optimizer.update(
                AdamW(
                    configuration: configuration.optimizer, learningRate: rate, update: update,
                    gradientScale: scale * clip))
        }
        return StepOutcome(
            loss: loss, gradientNorm: norm, learningRate: rate, positions: positions, isSkipped: !isFinite,
            isStopRequested: stops)
    }

    private typealias Gradient = (loss: NormalizedLoss, scale: Double, positions: Int, stops: Bool)

    /// Accumulates the unnormalised gradient over all units; the normaliser follows from the sums of all ranks.
    private func globalGradient(position: Int, isStopRequested: () -> Bool) throws -> Gradient {
        var sums = LossSums()
        for (index, unit) in units.enumerated() {
            let isLast = index + 1 == units.count
            sums = sums + (try compute(unit, at: position, adding: index > 0, reducing: isLast))
        }
        phases.enter(.reduction)
        if units.isEmpty { try contributeNothing() }
        let all = try communicator.sumInRankOrder(sums.values + [isStopRequested() ? 1 : 0])
        let total = LossSums(values: Array(all.dropLast()))
        return (total.normalizedGlobally, total.globalGradientScale, Int(total.positions), all[all.count - 1] > 0)
    }

    /// Follows the authors' trainer: each micro-step is scaled by its own alpha before it is added.
    private func referenceGradient(position: Int, isStopRequested: () -> Bool) throws -> Gradient {
        let parts = referenceRanks ?? 1
        let microSteps = Self.microStepCount(configuration, ranks: communicator.size)
        var total = LossSums()
        var loss = 0.0
        var alpha = 0.0
        var scale = 1.0
        for microStep in 0..<microSteps {
            let own = units.filter { $0.microStep == microStep }
            // With a single micro-step the scale is one number and folds into the update.
            let reduces = microSteps == 1
            var sums: [LossSums] = []
            for (index, unit) in own.enumerated() {
                let isLast = index + 1 == own.count
                sums.append(try compute(unit, at: position, adding: index > 0, reducing: reduces && isLast))
            }
            if own.isEmpty {
                if reduces { try contributeNothing() } else { pool.clear(gradient) }
            }
            phases.enter(.reduction)
            let counts = (0..<communicator.size).map { rank in
                (parts * (rank + 1) / communicator.size - parts * rank / communicator.size) * LossSums.valueCount
            }
            let values = try communicator.allGather(sums.flatMap(\.values), counts: counts)
            let everybody = stride(from: 0, to: values.count, by: LossSums.valueCount).map {
                LossSums(values: Array(values[$0..<($0 + LossSums.valueCount)]))
            }
            let reference = ReferenceMicroStep(units: everybody)
            total = everybody.reduce(total, +)
            loss += reference.loss / Double(microSteps)
            alpha += reference.alpha / Double(microSteps)
            // All units have the same number of positions, hence the same scale.
            let unitScale = reference.unitScales[0] / Double(microSteps)
            phases.enter(.other)
            if reduces {
                scale = unitScale
            } else if microStep == 0 {
                pool.clear(accumulated)
                pool.add(gradient, scaledBy: Float(unitScale), to: accumulated)
            } else {
                pool.add(gradient, scaledBy: Float(unitScale), to: accumulated)
            }
        }
        if microSteps > 1 {
            pool.copy(accumulated, into: gradient)
            try optimizer.gradientIsFinal(from: 0)
        }
        phases.enter(.reduction)
        let stops = try communicator.sum([isStopRequested() ? 1 : 0])[0] > 0
        let plain = total.normalizedGlobally
        let result = NormalizedLoss(
            loss: loss, crossEntropy: plain.crossEntropy, entropy: plain.entropy, alpha: alpha)
        return (result, scale, Int(total.positions), stops)
    }

    private func compute(_ unit: WorkUnit, at position: Int, adding: Bool, reducing: Bool) throws -> LossSums {
        phases.enter(.data)
        var inputs: [Int32] = []
        var targets: [Int32] = []
        for sequence in unit.sequences {
            let tokens = stream.sequence(at: position + sequence)
            inputs += tokens.dropLast()
            targets += tokens.dropFirst()
        }
        if !ignoredTargets.isEmpty { targets = targets.map { ignoredTargets.contains($0) ? -1 : $0 } }
        return try transformer.lossAndGradient(
            inputs: inputs, targets: targets, loss: configuration.loss, gradient: gradient, adding: adding
        ) { position in
            if reducing { try phases.nested(.reduction) { try optimizer.gradientIsFinal(from: position) } }
        }
    }

    /// A rank without a unit takes part in the reductions with zeros.
    private func contributeNothing() throws {
        pool.clear(gradient)
        try optimizer.gradientIsFinal(from: 0)
    }
}
