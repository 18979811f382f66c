// MemoryLayoutPlan - what a run needs on each rank, in words: the start-up line and `--dry-run`.

internal import Configuration
internal import Foundation
internal import Kernels
internal import LlamaModel
internal import Optimization
internal import Sharding
internal import Tensors
internal import TokenData

/// Memory and layout of a run, from its configuration and the number of ranks.
struct MemoryLayoutPlan {
    private let configuration: RunConfiguration
    private let ranks: Int
    private let ranksOnNode: Int
    private let partition: Partition

    init(_ configuration: RunConfiguration, ranks: Int, ranksOnNode: Int) {
        self.configuration = configuration
        self.ranks = ranks
        self.ranksOnNode = ranksOnNode
        partition = TrainingState.partition(configuration, ranks: ranks)
    }

    private var parameterCount: Int { configuration.model.tensorTable.count }

    /// Bytes of a checkpoint: parameters and both moments in fp32.
    var checkpointBytes: Int { 12 * parameterCount }

    /// One line for the start of every run.
    func summary(threads: Int) -> String {
        let training = configuration.training
        let T = configuration.data.sequenceLength
        return
            "\(configuration.name): \(Self.grouped(parameterCount)) parameters, \(ranks) rank\(ranks == 1 ? "" : "s") x "
            + "\(threads) thread\(threads == 1 ? "" : "s"), \(training.globalBatchSize) sequences of \(T) tokens per step, "
            + "\(configuration.schedule.totalSteps) steps, loss \(configuration.loss.kind.rawValue)"
    }

    /// Bytes of the largest rank's buffers. The text and MPI's own buffers come on top.
    struct Parts {
        var parameters: Int
        var gradients: Int
        var optimizer: Int
        /// The copy that is being saved.
        var snapshot: Int
        var activations: Int

        var total: Int { parameters + gradients + optimizer + snapshot + activations }
    }

    func parts(threads: Int) -> Parts {
        let training = configuration.training
        let narrows = training.precision == .bf16
        let parameters = (narrows ? 2 : 4) * parameterCount
        // Micro-steps that are scaled one by one are added up in a second buffer.
        let gradientBuffers = TrainingStep.microStepCount(configuration, ranks: ranks) > 1 ? 2 : 1
        let optimizer = (0..<ranks).map {
            ShardedOptimizer.stateBytes(
                partition: partition, rank: $0, reduction: training.gradientReduction, hasMaster: narrows,
                hasFixedPoint: training.reproducible)
        }
        return Parts(
            parameters: parameters, gradients: gradientBuffers * 4 * parameterCount, optimizer: optimizer.max() ?? 0,
            snapshot: (0..<ranks).map { Snapshot.byteCount(partition, rank: $0) }.max() ?? 0,
            activations: Transformer.activationBytes(
                configuration.model, sequenceLength: configuration.data.sequenceLength,
                sequences: TrainingState.largestUnit(configuration, ranks: ranks), threads: threads, forTraining: true,
                recomputesLayers: training.activationCheckpointing == .layer,
                lends: (0..<ranks).allSatisfy {
                    TrainingState.writesGradientOnce(configuration, rank: $0, ranks: ranks)
                }, format: narrows ? .bf16 : .fp32))
    }

    /// The largest rank's memory, and the buckets.
    func details(threads: Int) -> [String] {
        let parts = parts(threads: threads)
        let owned = (0..<ranks).map { partition.count(rank: $0) }
        return [
            "memory per rank: parameters \(Self.mebibytes(parts.parameters)), gradients "
                + "\(Self.mebibytes(parts.gradients)), optimizer shard \(Self.mebibytes(parts.optimizer)), snapshot for "
                + "saves \(Self.mebibytes(parts.snapshot)), activations \(Self.mebibytes(parts.activations)); together "
                + "\(Self.mebibytes(parts.total)), on this node \(Self.mebibytes(parts.total * ranksOnNode))",
            "layout: \(partition.buckets.count) buckets, \(Self.grouped(owned.min() ?? 0)) to "
                + "\(Self.grouped(owned.max() ?? 0)) elements owned per rank",
            "checkpoint: \(Self.mebibytes(checkpointBytes)) in \(ranks) shard\(ranks == 1 ? "" : "s")",
        ]
    }

    static func mebibytes(_ bytes: Int) -> String { "\(grouped((bytes + (1 << 20) - 1) >> 20)) MiB" }

    /// `6,738,415,616`.
    static func grouped(_ number: Int) -> String {
        var text = ""
        for (index, digit) in String(number).reversed().enumerated() {
            if index > 0 && index % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }
}
