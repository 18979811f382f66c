// SmallModels - models, tokens and thread pools that the tests of the network share.

import Kernels
import LinearAlgebra
import LlamaModel
import TestSupport
import Tensors

private let ready: Void = BLASBackends.useCallingThreadOnly()

/// A pool of `threads`. It never polls: tests run side by side, on more threads than there may be cores.
func makePool(_ threads: Int = 1) -> ThreadPool {
    _ = ready
    return try! ThreadPool(threadCount: threads, spins: false)
}

extension ModelConfiguration {
    /// Grouped queries, untied, no size a multiple of 16.
    static let grouped = ModelConfiguration(
        hiddenSize: 36, intermediateSize: 50, hiddenLayerCount: 3, attentionHeadCount: 6, keyValueHeadCount: 2,
        vocabularySize: 67, maxPositionEmbeddings: 64, initializerRange: 0.2)
    /// As many key/value heads as query heads, tied.
    static let tied = ModelConfiguration(
        hiddenSize: 24, intermediateSize: 40, hiddenLayerCount: 2, attentionHeadCount: 3, keyValueHeadCount: 3,
        vocabularySize: 53, maxPositionEmbeddings: 64, initializerRange: 0.2, tieWordEmbeddings: true)
    /// A head size of its own, every bias, and frequencies that llama3's rule divides, mixes and leaves.
    static let biased = ModelConfiguration(
        hiddenSize: 36, intermediateSize: 50, hiddenLayerCount: 2, attentionHeadCount: 6, keyValueHeadCount: 2,
        vocabularySize: 61, maxPositionEmbeddings: 64, ropeTheta: 500, initializerRange: 0.2, headSize: 10,
        attentionBias: true, mlpBias: true, ropeScaling: .llama3, ropeFactor: 8, ropeLowFrequencyFactor: 1,
        ropeHighFrequencyFactor: 4, ropeOriginalPositions: 32)
    /// Heads that do not share the hidden features, and a window that no sequence exceeds.
    static let mistral = ModelConfiguration(
        hiddenSize: 34, intermediateSize: 50, hiddenLayerCount: 2, attentionHeadCount: 4, keyValueHeadCount: 2,
        vocabularySize: 61, maxPositionEmbeddings: 128, initializerRange: 0.2, architecture: .mistral, headSize: 6,
        slidingWindow: 64)
    /// Biases of q, k and v, and linear scaling.
    static let qwen2 = ModelConfiguration(
        hiddenSize: 24, intermediateSize: 40, hiddenLayerCount: 2, attentionHeadCount: 4, keyValueHeadCount: 2,
        vocabularySize: 53, maxPositionEmbeddings: 64, initializerRange: 0.2, tieWordEmbeddings: true,
        architecture: .qwen2, ropeScaling: .linear, ropeFactor: 2.5)
    /// Norms of the heads of q and k, a head size of its own, and biases before the norms.
    static let qwen3 = ModelConfiguration(
        hiddenSize: 24, intermediateSize: 40, hiddenLayerCount: 2, attentionHeadCount: 4, keyValueHeadCount: 2,
        vocabularySize: 53, maxPositionEmbeddings: 64, initializerRange: 0.2, architecture: .qwen3, headSize: 18,
        attentionBias: true)
    /// Every second layer without rotary embeddings, and biases in the MLP.
    static let smollm3 = ModelConfiguration(
        hiddenSize: 24, intermediateSize: 40, hiddenLayerCount: 3, attentionHeadCount: 4, keyValueHeadCount: 2,
        vocabularySize: 53, maxPositionEmbeddings: 64, initializerRange: 0.2, tieWordEmbeddings: true,
        architecture: .smollm3, mlpBias: true, unrotatedLayerInterval: 2)
    /// Large enough that matmuls, norms and attention are all cut into several tasks (with T = 80).
    static let parallel = ModelConfiguration(
        hiddenSize: 96, intermediateSize: 256, hiddenLayerCount: 2, attentionHeadCount: 4, keyValueHeadCount: 2,
        vocabularySize: 300, maxPositionEmbeddings: 80, initializerRange: 0.1)

    /// Weights as training starts with, but gains that are not all 1, and biases that are not all 0.
    func randomParameters(seed: UInt64 = 7) -> FloatSlice {
        let parameters = Arena(count: tensorTable.count).all
        initialize(parameters, seed: seed, pool: makePool())
        var generator = SeededGenerator(seed: seed)
        for entry in tensorTable.entries {
            switch entry.kind {
            case .gain: parameters[entry.range].copy(from: generator.uniforms(entry.count, in: 0.7...1.3))
            case .bias: parameters[entry.range].copy(from: generator.uniforms(entry.count, in: -0.3...0.3))
            case .matrix, .embedding: break
            }
        }
        return parameters
    }
}

/// Inputs and targets of whole sequences.
struct Tokens: Sendable {
    var inputs: [Int32]
    var targets: [Int32]
    /// Whether each target is the first token of a document, inside which attention then stays; nil without masks.
    var startsDocument: [Bool]?

    /// Random tokens; every `ignoring`-th target is ignored.
    init(_ configuration: ModelConfiguration, sequences: Int, length: Int, ignoring: Int = 0, seed: UInt64 = 3) {
        var generator = SeededGenerator(seed: seed)
        inputs = generator.integers(sequences * length, below: configuration.vocabularySize)
        targets = generator.integers(sequences * length, below: configuration.vocabularySize)
        if ignoring > 0 { for n in stride(from: 0, to: targets.count, by: ignoring) { targets[n] = -1 } }
    }

    init(inputs: [Int32], targets: [Int32]) {
        self.inputs = inputs
        self.targets = targets
    }

    /// The tokens of some of the sequences.
    func sequences(_ range: Range<Int>, length: Int) -> Tokens {
        let part = (range.lowerBound * length)..<(range.upperBound * length)
        return Tokens(inputs: Array(inputs[part]), targets: Array(targets[part]))
    }

    /// The tokens with documents that begin at the inputs `starts`.
    func documents(at starts: [Int]) -> Tokens {
        var tokens = self
        tokens.startsDocument = inputs.indices.map { starts.contains($0 + 1) }
        return tokens
    }

    /// The tokens as a micro-batch of sequences of `length`.
    func batch(length: Int) -> TokenBatch {
        TokenBatch(
            inputs: inputs, targets: targets, sequenceLength: length, startsDocument: startsDocument,
            masksDocuments: startsDocument != nil)
    }
}

extension Transformer {
    /// The per-token losses of an evaluation.
    func losses(_ tokens: Tokens, _ loss: LossConfiguration = LossConfiguration()) -> TokenLosses {
        evaluate(tokens.batch(length: sequenceLength), weighting: loss.tokenWeighting)
    }

    /// Per-token CE, entropy and weight of an evaluation, for comparisons of bits.
    func evaluated(_ tokens: Tokens, _ loss: LossConfiguration = LossConfiguration()) -> [Float] {
        let losses = losses(tokens, loss)
        return losses.crossEntropy.array + losses.entropy.array + losses.weight.array
    }

    /// The gradient and the sums of one micro-batch.
    func gradient(
        _ tokens: Tokens, _ loss: LossConfiguration = LossConfiguration(), addingTo start: [Float]? = nil
    ) -> (values: [Float], sums: LossSums) {
        // NaN where nothing is to be added: what backward forgets to overwrite would show.
        gradient.copy(from: start ?? [Float](repeating: .nan, count: parameters.count))
        let sums = lossAndGradient(
            tokens.batch(length: sequenceLength), weighting: loss.tokenWeighting, adding: start != nil
        ) { _ in }
        return (gradient.array, sums)
    }
}
