// StepPrediction - memory, traffic and step time of a configuration on a cluster.

package import Configuration
internal import TokenData

/// The prediction for one cluster layout.
package struct StepPrediction {
    let layout: ClusterLayout
    /// Sequences per step.
    let globalBatchSize: Int
    /// Bytes of the largest rank's buffers.
    let rankMemory: Int
    /// Bytes of the buffers on the fullest node.
    let nodeMemory: Int
    /// Bytes of a checkpoint.
    let checkpointBytes: Int
    /// Seconds to write a checkpoint. The training goes on meanwhile.
    let checkpointSeconds: Double
    /// Bytes between nodes per step.
    let traffic: CommunicationModel.Traffic
    /// Seconds of forward and backward passes on the rank with most sequences.
    let compute: Double
    /// Seconds of the passes over memory whose time does not depend on tokens: norm, update, accumulation.
    let optimizer: Double
    /// Seconds of all gradient reductions without overlap.
    let reduction: Double
    /// Seconds of the all-gather without overlap.
    let gather: Double
    /// Seconds of communication that no computation hides, small messages included.
    let exposed: Double
    let tokensPerSecond: Double
    /// Share of a step in which the average rank computes its sequences, 0 to 1.
    let efficiency: Double
    /// Days until all configured tokens are consumed, without evaluations.
    let days: Double
    /// Whether the fullest node has enough memory.
    let fits: Bool

    /// Seconds of a step.
    var step: Double { compute + optimizer + exposed }

    /// Predicts the steps of `configuration` on `layout`.
    ///
    /// - Parameters:
    ///   - configuration: with the global batch size of this layout.
    ///   - threads: compute threads per rank.
    ///   - totalTokens: tokens of the whole run.
    package init(
        _ configuration: RunConfiguration, layout: ClusterLayout, hardware: Hardware, threads: Int, totalTokens: Double
    ) {
        let work = StepWork(configuration, ranks: layout.ranks)
        let plan = MemoryPlan(configuration, ranks: layout.ranks, ranksOnNode: layout.ranksPerNode)
        self.layout = layout
        globalBatchSize = configuration.training.globalBatchSize
        rankMemory = plan.parts(threads: threads).total
        nodeMemory = rankMemory * layout.ranksPerNode
        fits = nodeMemory <= hardware.nodeMemory ?? .max
        checkpointBytes = plan.checkpointBytes
        checkpointSeconds = Double(checkpointBytes) / hardware.diskBytes

        let model = CommunicationModel(
            layout: layout, hardware: hardware, reduction: configuration.training.gradientReduction)
        var traffic = CommunicationModel.Traffic()
        let shares = work.sentShares(ranksOnNode: layout.isRegular ? layout.ranksPerNode : 1)
        for (bucket, share) in zip(work.buckets, shares) {
            for _ in 0..<work.reductionsPerStep {
                traffic += model.reductionTraffic(bytes: bucket * work.gradientBytes, share: share)
            }
            traffic += model.gatherTraffic(bytes: bucket * work.parameterBytes)
        }
        self.traffic = traffic

        let sequenceSeconds = work.operationsPerSequence / hardware.rankOperations
        compute = Double(work.mostSequences) * sequenceSeconds
        optimizer = work.memoryBytes * Double(layout.ranksPerNode) / hardware.memoryBytes

        let reductions = zip(work.buckets, shares).map {
            model.reductionStages(bytes: $0 * work.gradientBytes, share: $1)
        }
        let atOnce = [Double](repeating: 0, count: reductions.count)
        let one = pipelineEnd(ready: atOnce, stages: reductions)
        reduction = Double(work.reductionsPerStep) * one
        let gathers = work.buckets.reversed().map { model.gatherStages(bytes: $0 * work.parameterBytes) }
        gather = pipelineEnd(ready: atOnce, stages: gathers)
        let backward = work.backwardShares.map { $0 * Double(work.lastMicroBatchSequences) * sequenceSeconds }
        var exposed = exposedCommunication(
            reductions: reductions, backward: backward, gathers: gathers,
            // Forward has one matmul for each two of backward.
            forward: backward.reversed().map { $0 / 2 },
            // The all-gather of a bf16 replica also runs beside the next forward pass.
            overlaps: true)
        // Nothing hides the reductions of earlier accumulation steps.
        exposed += Double(work.reductionsPerStep - 1) * one
        // Small messages: sums of the step and of each reduction, the norm, and a stop request before each further
        // micro-batch.
        exposed += Double(work.reductionsPerStep + 1) * model.smallGather
        exposed += Double(work.mostMicroBatches - 1) * model.smallReduction(bytes: 8)
        if work.fp32TensorBytes > 0 { exposed += model.smallReduction(bytes: work.fp32TensorBytes) }
        self.exposed = exposed

        let step = compute + optimizer + exposed
        let tokens = Double(globalBatchSize * configuration.data.sequenceLength)
        tokensPerSecond = tokens / step
        efficiency = Double(globalBatchSize) / Double(layout.ranks) * sequenceSeconds / step
        days = totalTokens / tokensPerSecond / 86_400
    }
}
