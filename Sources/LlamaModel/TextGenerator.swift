// TextGenerator - one sequence at a time, with a cache of keys and values.
//
// Legend: n new tokens, T cache positions, D hidden, F ffn, V vocabulary.

internal import LinearAlgebra
public import Kernels
public import Tensors

/// Feeds tokens to a model one batch after another and returns the logits of what comes next.
///
/// Each token is computed once: its keys and values stay in the cache.
public final class TextGenerator {
    public let configuration: ModelConfiguration
    /// Tokens that the cache can hold.
    public let capacity: Int
    /// Tokens fed so far.
    public private(set) var position = 0

    private let pool: ThreadPool
    private let weights: ModelSlices<OperandSlice>
    private let attention: Attention
    private let rotary: Rotary
    private let keys: [FloatSlice]
    private let values: [FloatSlice]

    /// - Parameters:
    ///   - parameters: flat buffer of the model.
    ///   - capacity: at most `max_position_embeddings`, which the model was trained for.
    public init(_ configuration: ModelConfiguration, parameters: FloatSlice, capacity: Int, pool: ThreadPool) {
        precondition(capacity >= 1 && capacity <= configuration.maxPositionEmbeddings, "capacity \(capacity)")
        self.configuration = configuration
        self.capacity = capacity
        self.pool = pool
        weights = ModelSlices(configuration, .fp32(parameters))
        attention = Attention(configuration, positions: capacity)
        rotary = Rotary(headSize: configuration.headSize, positions: capacity, theta: configuration.ropeTheta)
        let rowCount = configuration.keyValueHeadCount * configuration.headSize
        keys = (0..<configuration.hiddenLayerCount).map { _ in Arena(count: capacity * rowCount).all }
        values = (0..<configuration.hiddenLayerCount).map { _ in Arena(count: capacity * rowCount).all }
    }

    /// Appends `tokens` and returns the logits after the last one, `[V]`.
    ///
    /// Traps when the cache is full: callers bound the length by ``capacity``.
    public func feed(_ tokens: [Int32]) -> [Float] {
        let n = tokens.count
        precondition(n >= 1 && position + n <= capacity, "\(n) tokens at position \(position) of \(capacity)")
        let (D, F) = (configuration.hiddenSize, configuration.intermediateSize)
        let (Q, S) = (attention.outputStride, attention.qkvStride)
        let epsilon = Float(configuration.rmsNormEpsilon)
        let x = Arena(count: n * D).all
        let normed = Arena(count: n * D).all
        let rstd = Arena(count: n).all
        let qkv = Arena(count: n * S).all
        let attended = Arena(count: n * Q).all
        let gateUp = Arena(count: n * 2 * F).all
        let product = Arena(count: n * F).all
        let scratch = Arena(count: configuration.attentionHeadCount * capacity).all
        let start = position

        Embedding.forward(pool, tokens: tokens, table: weights.embedding, features: D, into: x)
        for (index, layer) in weights.layers.enumerated() {
            RMSNorm.forward(pool, x: x, gain: layer.inputNorm, epsilon: epsilon, into: .fp32(normed), rstd: rstd)
            linear(normed, layer.qkv, n, D, S, into: qkv)
            rotary.apply(
                pool, to: qkv, stride: S, heads: configuration.attentionHeadCount + configuration.keyValueHeadCount
            ) { token in start + token }
            attention.forwardCached(
                pool, qkv: qkv, start: start, keys: keys[index], values: values[index], into: attended, scratch: scratch
            )
            linear(attended, layer.output, n, Q, D, into: x, adding: true)
            RMSNorm.forward(
                pool, x: x, gain: layer.postAttentionNorm, epsilon: epsilon, into: .fp32(normed), rstd: rstd)
            linear(normed, layer.gateUp, n, D, 2 * F, into: gateUp)
            SwiGLU.forward(pool, gateUp: gateUp, features: F, into: .fp32(product))
            linear(product, layer.down, n, F, D, into: x, adding: true)
        }
        RMSNorm.forward(pool, x: x, gain: weights.finalNorm, epsilon: epsilon, into: .fp32(normed), rstd: rstd)
        let logits = Arena(count: configuration.vocabularySize).all
        linear(normed[((n - 1) * D)..<(n * D)], weights.head, 1, D, configuration.vocabularySize, into: logits)
        position += n
        return logits.array
    }

    private func linear(
        _ x: FloatSlice, _ weight: OperandSlice, _ n: Int, _ inputs: Int, _ outputs: Int, into y: FloatSlice,
        adding: Bool = false
    ) {
        pool.multiply(
            .fp32(Matrix(x, rows: n, columns: inputs)), .asStored,
            OperandMatrix(weight, rows: outputs, columns: inputs), .transposed,
            into: Matrix(y, rows: n, columns: outputs), adding: adding)
    }
}
