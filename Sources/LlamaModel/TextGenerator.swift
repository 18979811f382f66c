// TextGenerator - logits of one growing sequence, with a cache of keys and values.
//
// Legend: n new tokens, D hidden, V vocabulary.

public import Kernels
internal import LinearAlgebra
public import Tensors

/// Feeds tokens to a model piece by piece and returns the logits of the token that comes next.
///
/// Each token is computed once: its keys and values stay in the cache.
public final class TextGenerator {
    public let configuration: ModelConfiguration
    /// Number of tokens that the cache can hold.
    public let capacity: Int
    /// Number of tokens fed so far.
    public var position: Int { cache.count }

    private let stack: DecoderStack
    private var cache: KeyValueCache
    /// Buffers for as many tokens as the longest piece so far.
    private var buffers: Activations
    private var bufferTokens = 1
    private let pool: ThreadPool

    /// - Parameters:
    ///   - parameters: flat fp32 buffer of all parameters.
    ///   - capacity: number of tokens that the cache can hold, at most ``ModelConfiguration/longestSequence``.
    public init(_ configuration: ModelConfiguration, parameters: FloatSlice, capacity: Int, pool: ThreadPool) {
        precondition(capacity >= 1 && capacity <= configuration.longestSequence, "capacity \(capacity)")
        self.configuration = configuration
        self.capacity = capacity
        self.pool = pool
        stack = DecoderStack(
            configuration, .fp32(parameters), positions: capacity, recomputesLayers: false, phases: PhaseRecorder(),
            pool: pool)
        cache = KeyValueCache(configuration, positions: capacity)
        buffers = Activations(Activations.Sizes(configuration, tokens: 1, cachePositions: capacity))
    }

    /// Appends `tokens` and returns the logits after the last one, `[V]`.
    ///
    /// Traps when the cache is full. The caller bounds the length by ``capacity``.
    public func feed(_ tokens: [Int32]) -> [Float] {
        let n = tokens.count
        precondition(n >= 1 && position + n <= capacity, "\(n) tokens at position \(position) of \(capacity)")
        if n > bufferTokens {
            buffers = Activations(Activations.Sizes(configuration, tokens: n, cachePositions: capacity))
            bufferTokens = n
        }
        stack.forward(Pass(tokens, after: cache), buffers) { _ in }
        cache.count += n
        let (D, V) = (configuration.hiddenSize, configuration.vocabularySize)
        let logits = buffers.headScratch[0..<V]
        pool.multiply(
            OperandMatrix(buffers.normed[((n - 1) * D)..<(n * D)], rows: 1, columns: D), .asStored,
            OperandMatrix(stack.weights.head, rows: V, columns: D), .transposed,
            into: Matrix(logits, rows: 1, columns: V))
        return logits.array
    }
}
