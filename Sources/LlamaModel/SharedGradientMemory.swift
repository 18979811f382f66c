// SharedGradientMemory - activations of layers in the memory of the gradient, until backward writes it.

internal import Tensors

/// The part of the gradient's memory that each layer may use for activations: the gradient of the layer below it.
///
/// The first layer uses the embedding's gradient. Backward writes the gradient from the head down. It no longer needs a
/// layer's activations when it reaches the layer below.
///
/// The step must write its gradient once, without adding to an earlier micro-batch's gradient. Activations must not be
/// larger than the gradient below: one long sequence at a time through a wide model.
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
        // A tied embedding has nothing to share, because the head writes its gradient first.
        let lowest = configuration.tieWordEmbeddings ? 0..<0 : embedding.range
        return [lowest] + layers.dropLast()
    }

    /// The memory that layer `layer` may use.
    func slice(layer: Int) -> FloatSlice { gradient[ranges[layer]] }
}
