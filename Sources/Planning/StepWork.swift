// StepWork - the bytes and operations of a step, independent of the hardware.

internal import Configuration
internal import Kernels
internal import LlamaModel
internal import MessagePassing
internal import Optimization
internal import Sharding
internal import Tensors
internal import TokenData

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
    let fp32TensorBytes: Int
    /// Most sequences of a rank.
    let mostSequences: Int
    /// Most micro-batches of a rank.
    let mostMicroBatches: Int
    /// Sequences in the last micro-batch of the rank with most sequences.
    let lastMicroBatchSequences: Int
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
        let isBFloat16 = training.precision == .bf16
        parameters = table.count
        buckets = partition.buckets.map(\.count)
        isSparse = partition.bucketsOf(model.hasSparseGradient, in: table)
        gradientBytes = training.reproducible ? 8 : 4
        parameterBytes = isBFloat16 ? 2 : 4
        fp32TensorBytes =
            isBFloat16 ? 4 * table.entries.filter(\.kind.staysFP32).reduce(0) { $0 + $1.range.count } : 0
        operationsPerSequence = model.flopsPerToken(sequenceLength: T) * Double(T)

        let microBatches = (0..<ranks).map { layout.microBatches(rank: $0) }
        let most = microBatches.max { Self.sequences($0) < Self.sequences($1) } ?? []
        mostSequences = Self.sequences(most)
        mostMicroBatches = microBatches.map(\.count).max() ?? 0
        lastMicroBatchSequences = most.last?.sequences.count ?? 0
        let accumulationSteps = layout.accumulationSteps
        reductionsPerStep = training.reproducible ? accumulationSteps : 1
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
            configuration, parameters: Double(table.count), owned: Double(owned),
            microBatches: Double(mostMicroBatches), accumulationSteps: Double(accumulationSteps))
    }

    /// For each bucket: the largest share of its gradient that a reduce-scatter sends between nodes.
    ///
    /// - Parameter ranksOnNode: ranks whose gradients are summed before they are sent.
    func sentShares(ranksOnNode: Int) -> [Double] {
        isSparse.map { $0 ? min(1, Double(ranksOnNode) * sentShare) : 1 }
    }

    private static func sequences(_ microBatches: [MicroBatch]) -> Int {
        microBatches.reduce(0) { $0 + $1.sequences.count }
    }

    /// Share of a layer's matmuls in its backward pass: two of three, or three of four with a repeated forward pass.
    private static func backwardPart(_ training: TrainingConfiguration) -> Double {
        training.activationCheckpointing == .layer ? 3.0 / 4 : 2.0 / 3
    }

    /// Bytes that the memory moves per step outside of the passes.
    ///
    /// Bytes per element:
    /// - The norm reads 4.
    /// - The update rule says how many its pass moves: 28 for AdamW. A bf16 replica adds 2.
    /// - Fixed point reads 4 and writes 8 in the first micro-batch, and reads 8 more in each further one.
    /// - The owner converts its fixed-point sums to fp32: 12.
    /// - Accumulation steps that are scaled alone are added to a second buffer, 12, which is cleared and copied, 12.
    private static func memoryBytes(
        _ configuration: RunConfiguration, parameters: Double, owned: Double, microBatches: Double,
        accumulationSteps: Double
    ) -> Double {
        let training = configuration.training
        let update = configuration.optimizer.kind.rule.bytesPerParameter
        var bytes = owned * Double(4 + update + (training.precision == .bf16 ? 2 : 0))
        if training.reproducible {
            bytes += parameters * (20 * microBatches - 8 * accumulationSteps) + owned * 12 * accumulationSteps
        }
        if accumulationSteps > 1 {
            bytes += (training.reproducible ? owned : parameters) * (12 * accumulationSteps + 12)
        }
        return bytes
    }
}
