// StepLayout - how a step is divided among ranks: who computes which sequences, who owns which parameters.

package import Configuration
package import Kernels
internal import LlamaModel
internal import Optimization
internal import Reporting
package import Sharding
internal import Tensors
internal import TokenData

/// The layout of one data parallel step, a pure function of the configuration and the number of ranks.
///
/// The step, the memory plan, the prediction of step times and the benchmarks read the same value.
package struct StepLayout {
    package let configuration: RunConfiguration
    /// Number of ranks of the job.
    package let ranks: Int

    package init(_ configuration: RunConfiguration, ranks: Int) {
        self.configuration = configuration
        self.ranks = ranks
    }

    // MARK: Micro-batches

    /// Ranks that an accumulation step of the authors' trainer has; nil for `normalization: global`.
    package var referenceRanks: Int? {
        guard configuration.loss.normalization == .reference else { return nil }
        return configuration.loss.referenceRanks > 0 ? configuration.loss.referenceRanks : ranks
    }

    /// Accumulation steps that are scaled one by one before they are added; 1 for `normalization: global`.
    ///
    /// Every rank has the same number, also a rank without a micro-batch.
    package var accumulationSteps: Int {
        guard let parts = referenceRanks else { return 1 }
        return configuration.training.globalBatchSize / (configuration.training.microBatchSize * parts)
    }

    /// Throws status 2 unless the batch is a whole number of accumulation steps of the authors' trainer.
    ///
    /// The number depends on the ranks, so the configuration cannot check it.
    package func requireWholeAccumulationSteps() throws {
        let training = configuration.training
        guard let parts = referenceRanks, training.globalBatchSize % (training.microBatchSize * parts) != 0 else {
            return
        }
        throw ProgramFailure(
            .badInput,
            "loss.normalization reference: training.global_batch_size \(training.globalBatchSize) is not a multiple of "
                + "micro_batch_size \(training.microBatchSize) times \(parts) ranks; set loss.reference_ranks or "
                + "another batch size.", isShared: true)
    }

    /// The micro-batches of one rank, in the order in which it computes them.
    package func microBatches(rank: Int) -> [MicroBatch] {
        let (B, m) = (configuration.training.globalBatchSize, configuration.training.microBatchSize)
        if let referenceRanks {
            return WorkShare.referenceMicroBatches(
                globalBatchSize: B, microBatchSize: m, referenceRanks: referenceRanks, rank: rank, rankCount: ranks)
        }
        if configuration.training.reproducible {
            return WorkShare.reproducibleMicroBatches(
                globalBatchSize: B, microBatchSize: m, rank: rank, rankCount: ranks)
        }
        return WorkShare.microBatches(globalBatchSize: B, microBatchSize: m, rank: rank, rankCount: ranks)
    }

    /// Most sequences in a micro-batch of any rank: no rank holds activations for more.
    package var largestMicroBatch: Int {
        let training = configuration.training
        // Reproducible micro-batches do not depend on the ranks.
        let share = training.reproducible ? training.globalBatchSize : (training.globalBatchSize + ranks - 1) / ranks
        if configuration.loss.normalization == .reference { return training.microBatchSize }
        return min(training.microBatchSize, share)
    }

    /// Whether nothing is ever added to a rank's gradient buffer.
    ///
    /// The rank computes at most one micro-batch per step, or adds micro-batches in fixed point in another buffer.
    package func writesGradientOnce(rank: Int) -> Bool {
        configuration.training.reproducible || microBatches(rank: rank).count <= 1
    }

    // MARK: Ownership

    /// Number of elements of a bucket if `training.bucket_mib` is 0: 12 MiB of fp32.
    ///
    /// Why not more: nothing hides the last bucket's reduction and the first one's all-gather.
    /// Why not less: the pieces of hundreds of ranks would cost latency only.
    private static let defaultBucketElements = (12 << 20) / MemoryLayout<Float>.size

    /// Which rank owns which elements of the flat parameter space (ZeRO-1), and the buckets in which gradients are reduced.
    package var partition: Partition {
        let mebibytes = configuration.training.bucketMiB
        return Partition(
            count: configuration.model.tensorTable.count, finalIndices: configuration.model.gradientFinalIndices,
            bucketElements: mebibytes > 0 ? mebibytes << 18 : Self.defaultBucketElements, rankCount: ranks)
    }

    /// The format in which gradients are added with `training.reproducible`; nil without it.
    package var fixedPoint: FixedPoint? {
        guard configuration.training.reproducible else { return nil }
        return FixedPoint(
            targetsPerStep: configuration.training.globalBatchSize * configuration.data.sequenceLength)
    }

    /// Bytes of the copy of a rank's shard from which a checkpoint is written: parameters and optimizer state in fp32.
    static func snapshotBytes(_ partition: Partition, rank: Int, optimizer: OptimizerConfiguration) -> Int {
        optimizer.savedBytesPerParameter * partition.count(rank: rank)
    }
}
