// StepPrediction - what a layout of a configuration needs and how long its steps take.

package import Configuration
internal import Kernels
internal import LlamaModel
internal import MessagePassing
internal import Optimization
internal import Sharding
internal import Tensors
internal import TokenData

/// Memory, bytes and seconds of one layout.
package struct StepPrediction {
    package let layout: ClusterLayout
    /// Sequences of a step.
    package let globalBatchSize: Int
    /// Bytes of the largest rank's buffers, and of the fullest node's.
    let rankMemory: Int
    package let nodeMemory: Int
    /// Bytes of a checkpoint, and the seconds in which they are written, behind the training.
    package let checkpointBytes: Int
    let checkpointSeconds: Double
    /// Bytes between nodes in a step.
    let traffic: CommunicationModel.Traffic
    /// Seconds of the rank with most sequences in its passes: proportional to tokens.
    package let compute: Double
    /// Seconds of passes over memory that do not depend on tokens: norm, AdamW, sums beside the gradient.
    package let optimizer: Double
    /// Seconds of all reductions and of the gather, if nothing hid them.
    package let reduction: Double
    package let gather: Double
    /// Seconds of exchange that the step waits for, small messages included.
    package let exposed: Double
    package let tokensPerSecond: Double
    /// Share of a step in which the average rank computes its sequences.
    let efficiency: Double
    /// Days of steps until the configured tokens are consumed, without evaluations.
    package let days: Double
    let fits: Bool

    package var step: Double { compute + optimizer + exposed }

    /// - Parameters:
    ///   - configuration: with the batch of this layout; see ``MemoryPlan`` for `threads`.
    ///   - totalTokens: what is to be trained on.
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
            // Forward has one matmul where backward has two.
            forward: backward.reversed().map { $0 / 2 },
            // A bf16 update gathers after it, and forward hides that as well.
            overlaps: true)
        // Every earlier micro-step that is reduced by itself is waited for.
        exposed += Double(work.reductionsPerStep - 1) * one
        // The sums of the step and of each such micro-step, the norm, and before every unit but the first a look at
        // everybody's wish to stop.
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

/// What a step has to do, whatever does it.
struct StepWork {
    let parameters: Int
    /// Elements of each bucket, in the order in which backward finishes them.
    let buckets: [Int]
    /// Whether a bucket's gradient is zero but for the rows of tokens that occurred.
    private let isSparse: [Bool]
    /// What the rows of a rank's tokens in one reduction may be of all rows, if no two are the same.
    private let sentShare: Double
    /// Share of a unit's operations that backward spends between the end of a bucket's gradient and the one before.
    let backwardShares: [Double]
    /// Bytes of an element of the gradient on its way, and of a parameter.
    let gradientBytes: Int
    let parameterBytes: Int
    /// Bytes of what a bf16 replica holds in fp32; 0 without one.
    let exactBytes: Int
    /// Sequences and units of the rank that has most, and sequences of its last unit.
    let mostSequences: Int
    let mostUnits: Int
    let lastUnitSequences: Int
    /// Times that the whole gradient is reduced: several for reproducible reference micro-steps.
    let reductionsPerStep: Int
    /// The model's operations, forward and backward.
    let operationsPerSequence: Double
    /// Bytes that the memory reads and writes for the rank that owns most, outside of the passes.
    let memoryBytes: Double

    init(_ configuration: RunConfiguration, ranks: Int) {
        let (model, training) = (configuration.model, configuration.training)
        let table = model.tensorTable
        let layout = StepLayout(configuration, ranks: ranks)
        let partition = layout.partition
        let T = configuration.data.sequenceLength
        let downcasts = training.precision == .bf16
        parameters = table.count
        buckets = partition.buckets.map(\.count)
        isSparse = partition.bucketsOf(model.hasSparseGradient, in: table)
        gradientBytes = training.reproducible ? 8 : 4
        parameterBytes = downcasts ? 2 : 4
        exactBytes =
            downcasts ? 4 * table.entries.filter(\.kind.staysFloat).reduce(0) { $0 + $1.range.count } : 0
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

        // The head's forward and backward are one pass, before any layer's backward; the embedding has no matmul.
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

    /// What of each bucket's gradient a reduce-scatter between nodes sends at most, of the sums of `ranksOnNode` ranks.
    func sentShares(ranksOnNode: Int) -> [Double] {
        isSparse.map { $0 ? min(1, Double(ranksOnNode) * sentShare) : 1 }
    }

    private static func sequences(_ units: [WorkUnit]) -> Int { units.reduce(0) { $0 + $1.sequences.count } }

    /// Two of a layer's three matmuls, or of four where the forward pass is repeated, come after the head: backward's.
    private static func backwardPart(_ training: TrainingConfiguration) -> Double {
        training.activationCheckpointing == .layer ? 3.0 / 4 : 2.0 / 3
    }

    /// Bytes of an element: the norm reads 4. AdamW reads gradient, parameter and two moments and writes the last three, 28,
    /// and 2 of a bf16 replica. Fixed point reads 4 and writes 8 for a rank's first unit, and reads 8 more for each further one;
    /// the sums that are owned are read and written in fp32, 12. Micro-steps that are scaled are added to a second
    /// buffer, 12, which is cleared and copied, 12.
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
