// MemoryPlan - what a run needs on each rank, in words: the start-up line and `--dry-run`.

package import Configuration
internal import Foundation
internal import Kernels
internal import LlamaModel
internal import Optimization
internal import Reporting
internal import Sharding
internal import Tensors
internal import TokenData

/// Memory and layout of a run, from its configuration and the number of ranks.
package struct MemoryPlan {
    private let configuration: RunConfiguration
    private let ranks: Int
    private let ranksOnNode: Int
    private let layout: StepLayout
    private let partition: Partition

    package init(_ configuration: RunConfiguration, ranks: Int, ranksOnNode: Int) {
        self.configuration = configuration
        self.ranks = ranks
        self.ranksOnNode = ranksOnNode
        layout = StepLayout(configuration, ranks: ranks)
        partition = layout.partition
    }

    private var parameterCount: Int { configuration.model.tensorTable.count }

    /// Bytes of a checkpoint: parameters and both moments in fp32.
    package var checkpointBytes: Int { 12 * parameterCount }

    /// One line for the start of every run.
    package func summary(threads: Int) -> String {
        let training = configuration.training
        let T = configuration.data.sequenceLength
        return
            "\(configuration.name): \(GroupedNumber.text(parameterCount)) parameters, \(ranks) rank\(ranks == 1 ? "" : "s") x "
            + "\(threads) thread\(threads == 1 ? "" : "s"), \(training.globalBatchSize) sequences of \(T) tokens per step, "
            + "\(configuration.schedule.totalSteps) steps, loss \(configuration.loss.kind.rawValue)"
    }

    /// Bytes of the largest rank's buffers. The text and MPI's own buffers come on top.
    package struct Parts {
        var parameters: Int
        var gradients: Int
        var optimizer: Int
        /// The copy that is being saved.
        package var snapshot: Int
        var activations: Int

        package var total: Int { parameters + gradients + optimizer + snapshot + activations }
    }

    package func parts(threads: Int) -> Parts {
        let training = configuration.training
        let downcasts = training.precision == .bf16
        let parameters = (downcasts ? 2 : 4) * parameterCount
        // Micro-steps that are scaled one by one are added up in a second buffer.
        let gradientBuffers = layout.accumulationSteps > 1 ? 2 : 1
        let optimizer = (0..<ranks).map {
            ShardedOptimizer.stateBytes(
                partition: partition, rank: $0, reduction: training.gradientReduction, hasMaster: downcasts,
                hasFixedPoint: training.reproducible)
        }
        return Parts(
            parameters: parameters, gradients: gradientBuffers * 4 * parameterCount, optimizer: optimizer.max() ?? 0,
            snapshot: (0..<ranks).map { StepLayout.snapshotBytes(partition, rank: $0) }.max() ?? 0,
            activations: Transformer.activationBytes(
                configuration.model, sequenceLength: configuration.data.sequenceLength,
                sequences: layout.largestUnit, threads: threads, forTraining: true,
                recomputesLayers: training.activationCheckpointing == .layer,
                lends: (0..<ranks).allSatisfy { layout.writesGradientOnce(rank: $0) }, format: downcasts ? .bf16 : .fp32
            ))
    }

    /// The largest rank's memory, and the buckets.
    package func details(threads: Int) -> [String] {
        let parts = parts(threads: threads)
        let owned = (0..<ranks).map { partition.count(rank: $0) }
        return [
            "memory per rank: parameters \(GroupedNumber.mebibytes(parts.parameters)), gradients "
                + "\(GroupedNumber.mebibytes(parts.gradients)), optimizer shard \(GroupedNumber.mebibytes(parts.optimizer)), snapshot for "
                + "saves \(GroupedNumber.mebibytes(parts.snapshot)), activations \(GroupedNumber.mebibytes(parts.activations)); together "
                + "\(GroupedNumber.mebibytes(parts.total)), on this node \(GroupedNumber.mebibytes(parts.total * ranksOnNode))",
            "layout: \(partition.buckets.count) buckets, \(GroupedNumber.text(owned.min() ?? 0)) to "
                + "\(GroupedNumber.text(owned.max() ?? 0)) elements owned per rank",
            "checkpoint: \(GroupedNumber.mebibytes(checkpointBytes)) in \(ranks) shard\(ranks == 1 ? "" : "s")",
        ]
    }
}
