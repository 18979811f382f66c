// StepPrediction - memory, traffic and step time of a configuration on a cluster.

package import Configuration
internal import Kernels
internal import LlamaModel
internal import MessagePassing
internal import Optimization
internal import Sharding
internal import Tensors
internal import TokenData

/// The prediction for one cluster layout.
package struct StepPrediction {
    package let layout: ClusterLayout
    /// Sequences per step.
    package let globalBatchSize: Int
    /// Bytes of the largest rank's buffers.
    let rankMemory: Int
    /// Bytes of the buffers on the fullest node.
    package let nodeMemory: Int
    /// Bytes of a checkpoint.
    package let checkpointBytes: Int
    /// Seconds to write a checkpoint. The training goes on meanwhile.
    let checkpointSeconds: Double
    /// Bytes between nodes per step.
    let traffic: CommunicationModel.Traffic
    /// Seconds of forward and backward passes on the rank with most sequences.
    package let compute: Double
    /// Seconds of the passes over memory whose time does not depend on tokens: norm, AdamW, accumulation.
    package let optimizer: Double
    /// Seconds of all gradient reductions without overlap.
    package let reduction: Double
    /// Seconds of the all-gather without overlap.
    package let gather: Double
    /// Seconds of communication that no computation hides, small messages included.
    package let exposed: Double
    package let tokensPerSecond: Double
    /// Share of a step in which the average rank computes its sequences, 0 to 1.
    let efficiency: Double
    /// Days until all configured tokens are consumed, without evaluations.
    package let days: Double
    /// Whether the fullest node has enough memory.
    let fits: Bool

    /// Seconds of a step.
    package var step: Double { compute + optimizer + exposed }

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
        checkpointBytes = 12 * work.parameters
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
        let backward = work.backwardShares.map { $0 * Double(work.lastUnitSequences) * sequenceSeconds }
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
        exposed += Double(work.mostUnits - 1) * model.smallReduction(bytes: 8)
        if work.exactBytes > 0 { exposed += model.smallReduction(bytes: work.exactBytes) }
        self.exposed = exposed

        let step = compute + optimizer + exposed
        let tokens = Double(globalBatchSize * configuration.data.sequenceLength)
        tokensPerSecond = tokens / step
        efficiency = Double(globalBatchSize) / Double(layout.ranks) * sequenceSeconds / step
        days = totalTokens / tokensPerSecond / 86_400
    }
}

/// The work of a step, independent of the hardware.
struct StepWork {
    let parameters: Int
    /// Number of elements of each bucket, in the order in which backward finishes them.
    let buckets: [Int]
    /// For each bucket: whether only rows of tokens that occurred are nonzero in its gradient.
    private let isSparse: [Bool]
    /// Largest share of the embedding's rows that one rank's tokens can fill in one reduction.
    private let sentShare: Double
    /// For each bucket: the share of a micro-batch's operations that backward spends on it.
    let backwardShares: [Double]
    /// Bytes of a gradient element in a reduction.
    let gradientBytes: Int
    /// Bytes of a parameter in an all-gather.
    let parameterBytes: Int
    /// Bytes of the fp32 tensors of a bf16 replica; 0 without one.
    let exactBytes: Int
    /// Most sequences of a rank.
    let mostSequences: Int
    /// Most micro-batches of a rank.
    let mostUnits: Int
    /// Sequences in the last micro-batch of the rank with most sequences.
    let lastUnitSequences: Int
    /// Reductions of the whole gradient per step: one, or one per accumulation step if reproducible.
    let reductionsPerStep: Int
    /// Floating point operations of forward and backward for one sequence.
    let operationsPerSequence: Double
    /// Bytes that the memory moves per step outside of the passes, for the rank with the largest shard.
    let memoryBytes: Double

    init(_ configuration: RunConfiguration, ranks: Int) {
        let (model, training) = (configuration.model, configuration.training)
        let table = model.tensorTable
        let layout = StepLayout(configuration, ranks: ranks)
        let partition = layout.partition
        let T = configuration.data.sequenceLength
        let narrows = training.precision == .bf16
        parameters = table.count
        buckets = partition.buckets.map(\.count)
        isSparse = partition.bucketsOf(model.hasSparseGradient, in: table)
        gradientBytes = training.reproducible ? 8 : 4
        parameterBytes = narrows ? 2 : 4
        exactBytes =
            narrows ? 4 * table.entries.filter(\.kind.staysFloat).reduce(0) { $0 + $1.range.count } : 0
        operationsPerSequence = model.flopsPerToken(sequenceLength: T) * Double(T)

        let units = (0..<ranks).map { layout.units(rank: $0) }
        let most = units.max { Self.sequences($0) < Self.sequences($1) } ?? []
        mostSequences = Self.sequences(most)
        mostUnits = units.map(\.count).max() ?? 0
        lastUnitSequences = most.last?.sequences.count ?? 0
        let microSteps = layout.accumulationSteps
        reductionsPerStep = training.reproducible ? microSteps : 1
        let rowBytes = model.hiddenSize * gradientBytes
        let tokens = (mostSequences + reductionsPerStep - 1) / reductionsPerStep * T
        sentShare =
            Double(tokens * PackedPiece.mostBytes(ofRow: rowBytes)) / Double(model.vocabularySize * rowBytes)

        // The head is forward and backward in one pass, before the backward pass of the layers. The embedding has no
        // matmul.
        let headOperations = 6 * Double(model.vocabularySize * model.hiddenSize)
        let layers = (1 - headOperations * Double(T) / operationsPerSequence) * Self.backwardPart(training)
        let firstLayer = table["model.layers.0.input_layernorm.weight"]?.range.lowerBound ?? 0
        let layerRange = firstLayer..<(table["model.norm.weight"]?.range.lowerBound ?? firstLayer)
        backwardShares = partition.buckets.map { bucket in
            layers * Double(bucket.clamped(to: layerRange).count) / Double(layerRange.count)
        }

        let owned = (0..<ranks).map { partition.count(rank: $0) }.max() ?? 0
        memoryBytes = Self.memoryBytes(
            training, parameters: Double(table.count), owned: Double(owned), units: Double(mostUnits),
            microSteps: Double(microSteps))
    }

    /// For each bucket: the largest share of its gradient that a reduce-scatter sends between nodes.
    ///
    /// - Parameter ranksOnNode: ranks whose gradients are summed before they are sent.
    func sentShares(ranksOnNode: Int) -> [Double] {
        isSparse.map { $0 ? min(1, Double(ranksOnNode) * sentShare) : 1 }
    }

    private static func sequences(_ units: [WorkUnit]) -> Int { units.reduce(0) { $0 + $1.sequences.count } }

    /// Share of a layer's matmuls in its backward pass: two of three, or three of four with a repeated forward pass.
    private static func backwardPart(_ training: TrainingConfiguration) -> Double {
        training.activationCheckpointing == .layer ? 3.0 / 4 : 2.0 / 3
    }

    /// Bytes that the memory moves per step outside of the passes.
    ///
    /// Bytes per element:
    /// - The norm reads 4.
    /// - AdamW reads gradient, parameter and two moments and writes the last three: 28, and 2 of a bf16 replica.
    /// - Fixed point reads 4 and writes 8 in the first micro-batch, and reads 8 more in each further one.
    /// - The owner converts its fixed-point sums to fp32: 12.
    /// - Accumulation steps that are scaled alone are added to a second buffer, 12, which is cleared and copied, 12.
    private static func memoryBytes(
        _ training: TrainingConfiguration, parameters: Double, owned: Double, units: Double, microSteps: Double
    ) -> Double {
        var bytes = owned * (4 + 28 + (training.precision == .bf16 ? 2 : 0))
        if training.reproducible {
            bytes += parameters * (20 * units - 8 * microSteps) + owned * 12 * microSteps
        }
        if microSteps > 1 { bytes += (training.reproducible ? owned : parameters) * (12 * microSteps + 12) }
        return bytes
    }
}
