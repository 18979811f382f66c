// TrainingState - where a run stands, and the buffers that hold it on this rank.

internal import Checkpointing
public import Configuration
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

    public init() {}
}

/// Parameters, gradient and moments of one rank, and the network over them.
public final class TrainingState {
    public var progress = Progress()
    public let configuration: RunConfiguration
    public let table: TensorTable
    public let parameters: FloatSlice
    public let gradient: FloatSlice
    public let transformer: Transformer
    public let optimizer: ShardedOptimizer

    /// Elements of a bucket where `training.bucket_mib` is 0: large enough that a message's latency does not count.
    static let defaultBucketElements = (25 << 20) / MemoryLayout<Float>.size

    /// Allocates everything that a step needs.
    public init(_ configuration: RunConfiguration, communicator: Communicator, pool: ThreadPool) {
        self.configuration = configuration
        table = configuration.model.tensorTable
        parameters = Arena(count: table.count).all
        gradient = Arena(count: table.count).all
        transformer = Transformer(
            configuration.model, parameters: parameters, sequenceLength: configuration.data.sequenceLength,
            maximumSequences: Self.largestUnit(configuration, ranks: communicator.size), forTraining: true, pool: pool)
        optimizer = ShardedOptimizer(
            communicator: communicator, partition: Self.partition(configuration, ranks: communicator.size),
            reduction: configuration.training.gradientReduction, table: table, decays: { !$0.isNormGain },
            parameters: parameters, gradient: gradient, pool: pool)
    }

    /// Most sequences of a unit of any rank: no rank holds activations for more.
    static func largestUnit(_ configuration: RunConfiguration, ranks: Int) -> Int {
        let share = (configuration.training.globalBatchSize + ranks - 1) / ranks
        if configuration.loss.normalization == .reference { return configuration.training.microBatchSize }
        return min(configuration.training.microBatchSize, share)
    }

    /// The ownership for `ranks` ranks.
    static func partition(_ configuration: RunConfiguration, ranks: Int) -> Partition {
        let mebibytes = configuration.training.bucketMiB
        return Partition(
            count: configuration.model.tensorTable.count, finalPositions: configuration.model.gradientFinalPositions,
            bucketElements: mebibytes > 0 ? mebibytes << 18 : defaultBucketElements, rankCount: ranks)
    }

    /// Loads parameters and this rank's moments from a checkpoint, and the counters.
    func load(_ reader: CheckpointReader, rank: Int) throws {
        try reader.read(.parameter, range: 0..<table.count, into: parameters)
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

    static var blas: String { LinearAlgebraLibrary.identity }
}
