// TrainingState - where a run stands, and the buffers that hold it on this rank.

internal import Checkpointing
public import Configuration
internal import Digests
internal import Foundation
public import Kernels
internal import LinearAlgebra
public import LlamaModel
public import MessagePassing
public import Sharding
public import Tensors
internal import TokenData

/// Counters of a run; equal on all ranks.
public struct Progress: Sendable, Equatable {
    /// Optimizer steps taken, skipped ones included.
    public var step = 0
    /// Sequences consumed: the global position of the next one.
    public var position = 0
    /// Positions consumed since step 1, ignored targets included.
    public var tokens = 0
    /// Updates of AdamW.
    public var updates = 0
    /// Steps up to this one that were skipped, without one in between that was not.
    public var skippedInARow = 0

    public init() {}
}

/// Parameters, gradient and moments of one rank, and the network over them.
public final class TrainingState {
    public var progress = Progress()
    /// Occurrences of every token id in the training data; empty until they are counted.
    public var tokenCounts: [Int] = []
    /// What an export of the model must leave out, as the checkpoint that it began from says.
    var withheldTokens: Set<TokenRole> = []
    /// Losses of the last steps, for `training.spike_z_score`.
    var spikes: SpikeGuard
    public let configuration: RunConfiguration
    public let table: TensorTable
    public let parameters: ParameterReplica
    public let gradient: FloatSlice
    public let transformer: Transformer
    public let optimizer: ShardedOptimizer
    /// What a step tells its progress to.
    public let phases = PhaseRecorder()
    private let pool: ThreadPool

    /// Elements of a bucket where `training.bucket_mib` is 0. What is reduced last and gathered first is waited for, so small
    /// ones hide more: at 1 Gbit/s buckets of one layer (13 MiB) left 0.26-0.38 of the exchange exposed, of two layers
    /// 0.33-0.42, of all layers 0.61. Much smaller ones would be latency only, cut into pieces for hundreds of ranks.
    static let defaultBucketElements = (12 << 20) / MemoryLayout<Float>.size

    /// Allocates everything that a step needs.
    public init(_ configuration: RunConfiguration, communicator: Communicator, pool: ThreadPool) {
        self.configuration = configuration
        spikes = SpikeGuard(zScore: configuration.training.spikeZScore)
        table = configuration.model.tensorTable
        self.pool = pool
        switch configuration.training.precision {
        case .fp32: parameters = .fp32(table)
        case .bf16: parameters = .bf16(table, isExact: \.isNormGain)
        }
        gradient = Arena(count: table.count).all
        transformer = Transformer(
            configuration.model, parameters: parameters, sequenceLength: configuration.data.sequenceLength,
            maximumSequences: Self.largestUnit(configuration, ranks: communicator.size), forTraining: true,
            recomputesLayers: configuration.training.activationCheckpointing == .layer,
            lending: Self.writesGradientOnce(configuration, rank: communicator.rank, ranks: communicator.size)
                ? gradient : nil, phases: phases, pool: pool)
        optimizer = ShardedOptimizer(
            communicator: communicator, partition: Self.partition(configuration, ranks: communicator.size),
            reduction: configuration.training.gradientReduction, table: table, decays: { !$0.isNormGain },
            isSparse: configuration.model.hasSparseGradient, replica: parameters, gradient: gradient,
            fixedPoint: Self.fixedPoint(configuration), pool: pool)
    }

    /// The format in which gradients are added with `training.reproducible`; a function of the configuration only.
    static func fixedPoint(_ configuration: RunConfiguration) -> FixedPoint? {
        guard configuration.training.reproducible else { return nil }
        return FixedPoint(
            targetsPerStep: configuration.training.globalBatchSize * configuration.data.sequenceLength)
    }

    /// What computes the products of this run: bits are comparable only where this is the same.
    var productIdentity: String { Self.productIdentity(configuration, pool) }

    static func productIdentity(_ configuration: RunConfiguration, _ pool: ThreadPool) -> String {
        switch configuration.training.precision {
        case .fp32: pool.libraries.identity
        case .bf16: pool.libraries.bfloat16Identity
        }
    }

    /// Most sequences of a unit of any rank: no rank holds activations for more.
    static func largestUnit(_ configuration: RunConfiguration, ranks: Int) -> Int {
        let training = configuration.training
        // Reproducible units do not depend on the ranks.
        let share = training.reproducible ? training.globalBatchSize : (training.globalBatchSize + ranks - 1) / ranks
        if configuration.loss.normalization == .reference { return configuration.training.microBatchSize }
        return min(configuration.training.microBatchSize, share)
    }

    /// Whether nothing is ever added to a rank's gradient: it computes at most one unit per step, or adds units in fixed
    /// point elsewhere.
    static func writesGradientOnce(_ configuration: RunConfiguration, rank: Int, ranks: Int) -> Bool {
        configuration.training.reproducible || TrainingStep.units(configuration, rank: rank, ranks: ranks).count <= 1
    }

    /// The ownership for `ranks` ranks.
    static func partition(_ configuration: RunConfiguration, ranks: Int) -> Partition {
        let mebibytes = configuration.training.bucketMiB
        return Partition(
            count: configuration.model.tensorTable.count, finalPositions: configuration.model.gradientFinalPositions,
            bucketElements: mebibytes > 0 ? mebibytes << 18 : defaultBucketElements, rankCount: ranks)
    }

    /// Sets all parameters to what `fill` writes into a flat fp32 buffer.
    ///
    /// The buffer is the replica itself or, where that is bf16, the gradient, which nothing needs before the first step.
    func setParameters(_ fill: (FloatSlice) throws -> Void) rethrows {
        if case .fp32(let flat) = parameters { return try fill(flat) }
        try fill(gradient)
        optimizer.load(gradient)
    }

    /// All parameters as the network sees them, in fp32.
    var wideParameters: FloatSlice {
        switch parameters {
        case .fp32(let flat): return flat
        case .bf16(let flat, let exact):
            let wide = Arena(count: flat.count).all
            pool.widen(flat, into: wide)
            for part in exact.parts { wide[part.flat].copy(from: part.values) }
            return wide
        }
    }

    /// Loads parameters and this rank's moments from a checkpoint, and the counters.
    func load(_ reader: CheckpointReader, rank: Int) throws {
        try setParameters { try reader.read(.parameter, range: 0..<table.count, into: $0) }
        var offset = 0
        for run in optimizer.partition.runs(rank: rank) {
            let target = offset..<(offset + run.count)
            try reader.read(.firstMoment, range: run, into: optimizer.firstMoment[target])
            try reader.read(.secondMoment, range: run, into: optimizer.secondMoment[target])
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

/// Names of what computes, for the checkpoint's index: bits are comparable only where these agree.
enum MachineIdentity {
    /// The processor's model name as the kernel states it.
    static var processor: String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        let name = line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
        return name ?? "unknown processor"
    }

    /// SHA-256 of the running program's file.
    static func programHash() throws -> String {
        // Read, not mapped: a file that becomes shorter while it is mapped ends the process.
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/self/exe"))
        let hasher = SHA256()
        while let chunk = try file.read(upToCount: 1 << 20), !chunk.isEmpty { hasher.update(data: [UInt8](chunk)) }
        return hexadecimalDigits(of: hasher.finalize())
    }

    /// Every library that products may come from.
    static var libraries: String { ProductLibrary.allCases.map(\.identity).joined(separator: ", ") }
}
