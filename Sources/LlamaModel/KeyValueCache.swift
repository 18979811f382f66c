// KeyValueCache - keys and values of the positions that generation has computed.
//
// Legend: T positions, K key/value heads, Dh features per head.

internal import Tensors

/// Keys and values of one sequence, for each layer.
struct KeyValueCache {
    /// One layer's part, `[T, K * Dh]` each, rotary applied to the keys.
    struct Layer {
        let keys: FloatSlice
        let values: FloatSlice
    }

    let layers: [Layer]
    /// Number of filled positions, which is the position of the next token.
    var count = 0

    /// Allocates a cache for `positions` tokens.
    init(_ configuration: ModelConfiguration, positions: Int) {
        let size = positions * configuration.keyValueHeadCount * configuration.headSize
        layers = (0..<configuration.hiddenLayerCount).map { _ in
            Layer(keys: Arena(count: size).all, values: Arena(count: size).all)
        }
    }
}
