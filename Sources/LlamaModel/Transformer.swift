// Transformer - the LLaMA network (Hugging Face's LlamaForCausalLM): sizes, buffers and the two entry points.
//
// Legend: B sequences, T positions, N = B * T tokens, D hidden, F ffn, V vocabulary.

public import Kernels
public import Tensors

/// A LLaMA over a flat parameter buffer that it does not own the meaning of: sharding and optimizer see the same buffer.
public final class Transformer {
    public let configuration: ModelConfiguration
    /// T.
    public let sequenceLength: Int
    /// The largest number of sequences that one pass takes.
    public let maximumSequences: Int
    /// Whether there are buffers for gradients.
    public let forTraining: Bool
    /// Whether backward computes each layer again from its input instead of keeping what lies between.
    public let recomputesLayers: Bool
    /// The replica that it computes with.
    public let parameters: ParameterReplica

    /// What backward and forward tell their progress to.
    public let phases: PhaseRecorder
    let pool: ThreadPool
    let weights: ModelSlices<OperandSlice>
    let attention: Attention
    let rotary: Rotary
    let head: FusedHead
    let activations: Activations
    /// Flat positions before which lies all that forward reads up to the embedding, up to each layer, and in all.
    let parameterEnds: (embedding: Int, layers: [Int], all: Int)
    private let lentGradient: FloatSlice?
    let losses: TokenLosses

    /// Allocates the activations for `maximumSequences` sequences of `sequenceLength` tokens.
    ///
    /// - Parameters:
    ///   - forTraining: false leaves out what only backward needs.
    ///   - recomputesLayers: keeps only each layer's input for backward, which computes the layer again: a third more work
    ///     in the layers for a fraction of the memory.
    ///   - gradient: where given, what every gradient is written into, never added to: layers keep their activations in
    ///     what of it is not written yet. Its contents do not survive any pass.
    public init(
        _ configuration: ModelConfiguration, parameters: ParameterReplica, sequenceLength: Int, maximumSequences: Int,
        forTraining: Bool, recomputesLayers: Bool = false, lending gradient: FloatSlice? = nil,
        phases: PhaseRecorder = PhaseRecorder(),
        pool: ThreadPool
    ) {
        precondition(sequenceLength >= 1 && maximumSequences >= 1, "a transformer needs at least one token")
        self.configuration = configuration
        self.sequenceLength = sequenceLength
        self.maximumSequences = maximumSequences
        self.forTraining = forTraining
        self.recomputesLayers = recomputesLayers
        self.parameters = parameters
        self.phases = phases
        self.pool = pool
        weights = ModelSlices(configuration, parameters)
        attention = Attention(configuration, positions: sequenceLength)
        rotary = Rotary(headSize: configuration.headSize, positions: sequenceLength, theta: configuration.ropeTheta)
        head = FusedHead(configuration)
        activations = Activations(
            Activations.Sizes(
                configuration, sequences: maximumSequences, sequenceLength: sequenceLength, threads: pool.threadCount,
                forTraining: forTraining, recomputesLayers: recomputesLayers, lends: gradient != nil,
                format: ComputeDType(parameters)),
            loan: gradient.map { GradientLoan(configuration, gradient: $0) })
        parameterEnds = configuration.layerParameterEnds
        lentGradient = gradient
        losses = TokenLosses(count: maximumSequences * sequenceLength)
    }

    /// Bytes that a transformer's activations take, for planning: what `init` allocates for a pool of `threads`, without
    /// the per-token losses and the rotary table.
    public static func activationBytes(
        _ configuration: ModelConfiguration, sequenceLength: Int, sequences: Int, threads: Int, forTraining: Bool,
        recomputesLayers: Bool = false, lends: Bool = false, format: ComputeDType = .fp32
    ) -> Int {
        let sizes = Activations.Sizes(
            configuration, sequences: sequences, sequenceLength: sequenceLength, threads: threads,
            forTraining: forTraining, recomputesLayers: recomputesLayers, lends: lends, format: format)
        return MemoryLayout<Float>.stride * Activations.floatCount(sizes)
    }

    /// Loss and unnormalised gradient of one micro-batch.
    ///
    /// The gradient is that of `sum_n w_n CE_n` with w held fixed; whoever collects it divides by `sum w` once.
    ///
    /// - Parameters:
    ///   - inputs: `[B * T]` token ids.
    ///   - targets: `[B * T]`, below 0: ignored.
    ///   - gradient: flat buffer; overwritten unless `adding`.
    ///   - isNeeded: called before parameters are read, with rising positions: those before the position are. Its caller
    ///     may still be waiting for the others.
    ///   - isFinal: called as soon as every gradient element at or behind the given flat position is final, with falling
    ///     positions, last with 0. Its caller may start to reduce them.
    /// - Returns: the micro-batch's sums.
    public func lossAndGradient(
        inputs: [Int32], targets: [Int32], weighting: TokenWeighting, gradient: FloatSlice, adding: Bool,
        isNeeded: (_ before: Int) throws -> Void, isFinal: (_ from: Int) throws -> Void
    ) rethrows -> LossSums {
        precondition(forTraining, "a transformer for evaluation has no buffers for gradients")
        if let lent = lentGradient {
            precondition(
                !adding && lent.arena === gradient.arena && lent.offset == gradient.offset,
                "the gradient whose memory is lent is the one that is written")
        }
        let batch = batch(inputs, targets)
        let gradients = ModelSlices(configuration, flat: gradient)
        try forward(batch, isNeeded: isNeeded)
        phases.enter(.head)
        head.lossAndGradient(
            pool, hidden: batch.mixed(activations.normed, configuration.hiddenSize), weight: weights.head,
            targets: targets, weighting: weighting, dhidden: batch.hidden(activations.dnormed), dweight: gradients.head,
            adding: adding,
            losses: losses.prefix(batch.tokens), scratch: activations.headScratch)
        phases.enter(.backward)
        try backward(batch, gradients: gradients, adding: adding, isFinal: isFinal)
        phases.enter(.other)
        return losses.prefix(batch.tokens).sums(targets: targets)
    }

    /// The same with parameters that are all there.
    public func lossAndGradient(
        inputs: [Int32], targets: [Int32], weighting: TokenWeighting, gradient: FloatSlice, adding: Bool,
        isFinal: (_ from: Int) throws -> Void
    ) rethrows -> LossSums {
        try lossAndGradient(
            inputs: inputs, targets: targets, weighting: weighting, gradient: gradient, adding: adding,
            isNeeded: { _ in },
            isFinal: isFinal)
    }

    /// Per-token losses of one micro-batch, without gradients. Valid until the next call.
    public func evaluate(inputs: [Int32], targets: [Int32], weighting: TokenWeighting) -> TokenLosses {
        let batch = batch(inputs, targets)
        forward(batch) { _ in }
        let result = losses.prefix(batch.tokens)
        head.evaluate(
            pool, hidden: batch.mixed(activations.normed, configuration.hiddenSize), weight: weights.head,
            targets: targets, weighting: weighting, losses: result, scratch: activations.headScratch)
        return result
    }

    private func batch(_ inputs: [Int32], _ targets: [Int32]) -> Batch {
        precondition(
            !inputs.isEmpty && inputs.count == targets.count && inputs.count % sequenceLength == 0
                && inputs.count / sequenceLength <= maximumSequences,
            "\(inputs.count) inputs and \(targets.count) targets are not whole sequences of \(sequenceLength)")
        return Batch(inputs: inputs, sequences: inputs.count / sequenceLength, configuration: configuration)
    }
}

/// One micro-batch and the sizes that follow from it.
struct Batch {
    let inputs: [Int32]
    /// B.
    let sequences: Int
    let configuration: ModelConfiguration

    /// N.
    var tokens: Int { inputs.count }

    /// The part of an `[N, D]` buffer that this batch uses.
    func hidden(_ buffer: FloatSlice) -> FloatSlice { buffer[0..<(tokens * configuration.hiddenSize)] }

    /// The part of an `[N, columns]` buffer that this batch uses.
    func rows(_ buffer: FloatSlice, _ columns: Int) -> FloatSlice { buffer[0..<(tokens * columns)] }

    /// The same of a buffer in the matmuls' format.
    func mixed(_ buffer: OperandSlice, _ columns: Int) -> OperandSlice { buffer[0..<(tokens * columns)] }
}
