// TrainingState - where a run stands, and the buffers that hold it on this rank.

internal import BLASSelection
internal import Checkpointing
public import Configuration
internal import Foundation
public import Kernels
internal import LinearAlgebra
public import LlamaModel
public import MessagePassing
internal import Optimization
internal import Planning
public import Sharding
public import Tensors
internal import TokenData

/// Counters of a run; equal on all ranks.
public struct Progress: Sendable, Equatable {
    /// Optimizer steps taken, skipped ones included.
    public var step = 0
    /// Sequences consumed: the number of the next one in the training stream.
    public var position = 0
    /// Target tokens consumed since step 1, ignored targets included.
    public var tokens = 0
    /// Updates that the optimizer has applied.
    public var updates = 0
    /// Consecutive skipped steps up to this one.
    public var skippedInARow = 0

    public init() {}
}

/// Parameters, gradient and optimizer state of one rank, and the network over them.
public final class TrainingState {
    public var progress = Progress()
    /// Occurrences of every token id in the training data; empty until they are counted.
    public var tokenCounts: [Int] = []
    /// Token roles that an export of the model must leave out, from the checkpoint that the run began with.
    var withheldTokens: Set<TokenRole> = []
    /// Files that the run's checkpoints carry, from the checkpoint that the run began with; on rank 0 only.
    var carriedFiles: [CarriedFile] = []
    /// Losses of the last steps, for `training.spike_z_score`.
    var spikes: SpikeGuard
    public let configuration: RunConfiguration
    public let table: TensorTable
    /// The parameters that forward reads; mixed precision keeps them in bf16.
    private let replica: ParameterReplica
    public let transformer: Transformer
    public let optimizer: ShardedOptimizer
    /// Receives the phases of every step.
    public let phases = PhaseRecorder()
    private let pool: ThreadPool

    /// Allocates everything that a step needs.
    public init(_ configuration: RunConfiguration, communicator: Communicator, pool: ThreadPool) {
        self.configuration = configuration
        let layout = StepLayout(configuration, ranks: communicator.size)
        spikes = SpikeGuard(zScore: configuration.training.spikeZScore)
        table = configuration.model.tensorTable
        self.pool = pool
        switch configuration.training.precision {
        case .fp32: replica = .fp32(table)
        case .bf16: replica = .bf16(table, staysFP32: \.kind.staysFP32)
        }
        transformer = Transformer(
            configuration.model, parameters: replica, sequenceLength: configuration.data.sequenceLength,
            maximumSequences: layout.largestMicroBatch, forTraining: true,
            recomputesLayers: configuration.training.activationCheckpointing == .layer,
            sharesGradient: layout.writesGradientOnce(rank: communicator.rank), phases: phases, pool: pool)
        optimizer = ShardedOptimizer(
            communicator: communicator, partition: layout.partition,
            reduction: configuration.training.gradientReduction, stateTensors: configuration.optimizer.stateTensors,
            table: table, decays: \.kind.decays,
            isSparse: configuration.model.hasSparseGradient, replica: replica,
            gradient: transformer.gradient,
            accumulationSteps: layout.accumulationSteps, fixedPoint: layout.fixedPoint, pool: pool)
    }

    /// The BLAS that computes the matmuls of this run: bits are comparable only where it is the same.
    var gemmIdentity: String { pool.gemmIdentity(configuration.training.precision) }

    /// Sets all parameters: `fill` writes them into a flat fp32 buffer, `[P]`.
    ///
    /// The buffer is the replica itself or, with mixed precision, the gradient, which nothing needs before the first step.
    func setParameters(_ fill: (FloatSlice) throws -> Void) rethrows {
        if case .fp32(let flat) = replica { return try fill(flat) }
        try fill(transformer.gradient)
        optimizer.load(transformer.gradient)
    }

    /// All parameters as the network sees them, in fp32, `[P]`, once every one has arrived.
    ///
    /// Collective while an all-gather is in flight.
    ///
    /// - Throws: `MPIError`.
    func gatheredParameters() throws -> FloatSlice {
        switch try optimizer.gatheredParameters() {
        case .fp32(let flat): return flat
        case .bf16(let flat, let fp32Tensors):
            let values = Arena(count: flat.count).all
            pool.upcast(flat, into: values)
            for part in fp32Tensors.parts { values[part.flat].copy(from: part.values) }
            return values
        }
    }

    /// Loads parameters and this rank's optimizer state from a checkpoint, and the counters.
    ///
    /// A state tensor that an imported checkpoint does not have starts at 0, as in a new run.
    func load(_ reader: CheckpointReader, rank: Int) throws {
        try setParameters { try reader.read(.parameter, range: 0..<table.count, into: $0) }
        var offset = 0
        for run in optimizer.partition.runs(rank: rank) {
            let target = offset..<(offset + run.count)
            for tensor in optimizer.state {
                if reader.index.isImported, !reader.index.stateTensors.contains(tensor.name) {
                    tensor.values[target].fill(0)
                } else {
                    try reader.read(.state(tensor.name), range: run, into: tensor.values[target])
                }
            }
            offset += run.count
        }
        progress.step = reader.index.step
        progress.position = reader.index.position
        progress.tokens = reader.index.tokens
        progress.updates = reader.index.optimizerSteps
        progress.skippedInARow = reader.index.skippedInARow
        spikes = SpikeGuard(zScore: configuration.training.spikeZScore, losses: reader.index.recentLosses)
        tokenCounts = reader.index.tokenCounts
        withheldTokens = reader.index.withheldTokens
    }
}
