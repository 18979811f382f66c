// GradientLoan - activations in memory of the gradient that is not written yet.

internal import Tensors

/// Lends each layer the gradient of the layer below it (the first one: the embedding's).
///
/// Backward writes the gradient from the head down and has done with a layer's activations when it comes to the layer
/// below. So a step that writes its gradient once, without adding to an earlier micro-batch's, needs no memory of its own
/// for layers whose activations are not larger than their gradient: a long sequence at a time through a wide model.
struct GradientLoan {
    let gradient: FloatSlice
    private let ranges: [Range<Int>]

    init(_ configuration: ModelConfiguration, gradient: FloatSlice) {
        self.gradient = gradient
        ranges = Self.ranges(configuration)
    }

    /// What is lent to each layer, in the flat space.
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

    func room(layer: Int) -> FloatSlice { gradient[ranges[layer]] }
}
