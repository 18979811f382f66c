// Transformer - the LLaMA network (Hugging Face's LlamaForCausalLM) for training and evaluation.
//
// Legend: B sequences, T positions, N = B * T tokens, D hidden, V vocabulary.

public import Kernels
public import Tensors

/// A LLaMA whose parameters live in one flat buffer, shared with the optimizer and sharding.
public final class Transformer {
    public let configuration: ModelConfiguration
    /// T.
    public let sequenceLength: Int
    /// The largest number of sequences that one pass takes.
    public let maximumSequences: Int
    /// Whether the transformer has buffers for the backward pass.
    public let forTraining: Bool
    /// Whether backward recomputes each layer from its input instead of keeping its activations.
    public let recomputesLayers: Bool
    /// The replica that passes read.
    public let parameters: ParameterReplica
    /// The flat gradient that backward writes, in the order of the tensor table; empty unless ``forTraining``.
    ///
    /// The transformer owns the memory and lends it to the optimizer, which reduces it, and to faults of tests.
    public let gradient: FloatSlice
    /// Receives the phases of every pass.
    public let phases: PhaseRecorder

    let activations: Activations
    private let stack: DecoderStack
    private let head: FusedHead
    /// Slices of ``gradient`` by role; nil unless ``forTraining``.
    private let gradients: ModelSlices<FloatSlice>?
    /// Whether layers keep activations in the gradient's memory.
    private let sharesGradient: Bool
    private let losses: TokenLosses
    private let pool: ThreadPool

    /// Allocates the gradient, and the activations for `maximumSequences` sequences of `sequenceLength` tokens.
    ///
    /// - Parameters:
    ///   - forTraining: false leaves out the buffers that only backward needs.
    ///   - recomputesLayers: keeps only each layer's input for backward, which recomputes the layer: a third more work in
    ///     the layers for a fraction of the memory.
    ///   - sharesGradient: layers keep activations in the gradient's memory until backward writes there, so its contents
    ///     do not survive a pass. No pass may then add to the gradient.
    public init(
        _ configuration: ModelConfiguration, parameters: ParameterReplica, sequenceLength: Int, maximumSequences: Int,
        forTraining: Bool, recomputesLayers: Bool = false, sharesGradient: Bool = false,
        phases: PhaseRecorder = PhaseRecorder(), pool: ThreadPool
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
        self.sharesGradient = sharesGradient
        gradient = Arena(count: forTraining ? configuration.tensorTable.count : 0).all
        gradients = forTraining ? ModelSlices(configuration, flat: gradient) : nil
        stack = DecoderStack(
            configuration, parameters, positions: sequenceLength, recomputesLayers: recomputesLayers, phases: phases,
            pool: pool)
        head = FusedHead(configuration)
        activations = Activations(
            Activations.Sizes(
                configuration, sequences: maximumSequences, sequenceLength: sequenceLength, threads: pool.threadCount,
                forTraining: forTraining, recomputesLayers: recomputesLayers, sharesGradient: sharesGradient,
                dtype: ComputeDType(parameters)),
            shared: sharesGradient ? SharedGradientMemory(configuration, gradient: gradient) : nil)
        losses = TokenLosses(count: maximumSequences * sequenceLength)
    }

    /// Bytes of a transformer's activations with a pool of `threads`, for planning.
    ///
    /// They leave out what is small: the per-token losses, the rotary table, and the documents of a batch.
    public static func activationBytes(
        _ configuration: ModelConfiguration, sequenceLength: Int, sequences: Int, threads: Int, forTraining: Bool,
        recomputesLayers: Bool = false, sharesGradient: Bool = false, dtype: ComputeDType = .fp32
    ) -> Int {
        let sizes = Activations.Sizes(
            configuration, sequences: sequences, sequenceLength: sequenceLength, threads: threads,
            forTraining: forTraining, recomputesLayers: recomputesLayers, sharesGradient: sharesGradient, dtype: dtype)
        return MemoryLayout<Float>.stride * Activations.floatCount(sizes)
    }

    /// Loss and unnormalised gradient of one micro-batch; the gradient goes to ``gradient``.
    ///
    /// The gradient is that of `sum_n w_n CE_n` with w held fixed. Its collector divides by `sum w` once.
    ///
    /// - Parameters:
    ///   - batch: at most ``maximumSequences`` sequences of ``sequenceLength`` tokens; traps otherwise.
    ///   - adding: adds to ``gradient`` instead of overwriting it; traps where layers share its memory.
    ///   - isNeeded: called before parameters are read, with rising flat indices: parameters before the index are read next.
    ///     The caller may still be waiting for the others.
    ///   - isFinal: called as soon as every gradient element at or behind a flat index is final, with falling indices, last
    ///     with 0. The caller may start to reduce these elements.
    /// - Returns: the micro-batch's sums.
    public func lossAndGradient(
        _ batch: borrowing TokenBatch, weighting: TokenWeighting, adding: Bool,
        isNeeded: (_ before: Int) throws -> Void, isFinal: (_ from: Int) throws -> Void
    ) rethrows -> LossSums {
        guard let gradients else { preconditionFailure("a transformer for evaluation has no buffers for gradients") }
        precondition(!(adding && sharesGradient), "activations have overwritten the gradient that a pass would add to")
        let (pass, targets) = (pass(batch), batch.targets)
        try stack.forward(pass, activations, isNeeded: isNeeded)
        phases.enter(.head)
        let losses = losses.prefix(pass.tokens)
        head.lossAndGradient(
            pool, hidden: pass.rows(activations.normed, configuration.hiddenSize), weight: stack.weights.head,
            targets: targets, weighting: weighting,
            hiddenGradient: pass.rows(activations.normedGradient, configuration.hiddenSize),
            weightGradient: gradients.head,
            adding: adding, losses: losses, scratch: activations.headScratch)
        phases.enter(.backward)
        try stack.backward(pass, activations, gradients: gradients, adding: adding, isFinal: isFinal)
        phases.enter(.other)
        return losses.sums(targets: targets)
    }

    /// Loss and unnormalised gradient of one micro-batch, with parameters that are all there.
    public func lossAndGradient(
        _ batch: borrowing TokenBatch, weighting: TokenWeighting, adding: Bool,
        isFinal: (_ from: Int) throws -> Void
    ) rethrows -> LossSums {
        try lossAndGradient(batch, weighting: weighting, adding: adding, isNeeded: { _ in }, isFinal: isFinal)
    }

    /// Per-token losses of one micro-batch, without gradients. Valid until the next call.
    ///
    /// - Parameter batch: at most ``maximumSequences`` sequences of ``sequenceLength`` tokens; traps otherwise.
    public func evaluate(_ batch: borrowing TokenBatch, weighting: TokenWeighting) -> TokenLosses {
        let pass = pass(batch)
        stack.forward(pass, activations) { _ in }
        let result = losses.prefix(pass.tokens)
        head.evaluate(
            pool, hidden: pass.rows(activations.normed, configuration.hiddenSize), weight: stack.weights.head,
            targets: batch.targets, weighting: weighting, losses: result, scratch: activations.headScratch)
        return result
    }

    private func pass(_ batch: borrowing TokenBatch) -> Pass {
        precondition(
            batch.sequenceLength == sequenceLength && batch.sequenceCount >= 1
                && batch.sequenceCount <= maximumSequences,
            "\(batch.sequenceCount) sequences of \(batch.sequenceLength) for a transformer of \(maximumSequences) of "
                + "\(sequenceLength)")
        return Pass(batch)
    }
}
