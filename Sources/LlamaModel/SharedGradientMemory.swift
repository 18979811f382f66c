// SharedGradientMemory - activations in memory of the gradient that is not written yet.

internal import Tensors

/// The gradient's memory as each layer may use it: the gradient of the layer below (of the embedding for the first layer).
///
/// Backward writes the gradient from the head down. A layer's activations are used up when backward reaches the layer
/// below. A step that writes its gradient once, without adding to an earlier micro-batch's, can therefore keep them there
/// if they are not larger than that gradient: a long sequence at a time through a wide model.
struct SharedGradientMemory {
    let gradient: FloatSlice
    private let ranges: [Range<Int>]

    init(_ configuration: ModelConfiguration, gradient: FloatSlice) {
        self.gradient = gradient
        ranges = Self.ranges(configuration)
    }

    /// Flat range of the gradient that each layer may use.
    static func ranges(_ configuration: ModelConfiguration) -> [Range<Int>] {
        let table = configuration.tensorTable
        guard let embedding = table["model.embed_tokens.weight"] else { preconditionFailure("no embedding") }
        let layers = (0..<configuration.hiddenLayerCount).map { layer in
            let prefix = "model.layers.\(layer)."
            guard let first = table[prefix + "input_layernorm.weight"],
                let last = table[prefix + "mlp.down_proj.weight"]
            else { preconditionFailure("the tensor table lacks layer \(layer)") }
            return first.range.lowerBound..<last.range.upperBound
        }
        // A tied head writes into the embedding's gradient first.
        let lowest = configuration.tieWordEmbeddings ? 0..<0 : embedding.range
        return [lowest] + layers.dropLast()
    }

    /// The memory that layer `layer` may use.
    func slice(layer: Int) -> FloatSlice { gradient[ranges[layer]] }
}
