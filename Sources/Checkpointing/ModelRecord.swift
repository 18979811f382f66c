// ModelRecord - the model and its tensor table as checkpoint.h5 stores them.

internal import LlamaModel
internal import Tensors

/// A model as an index stores it: JSON with the keys of ``ModelConfiguration/keys``.
struct ModelRecord: Codable, Equatable {
    let model: ModelConfiguration

    init(_ model: ModelConfiguration) { self.model = model }
    init(from decoder: any Decoder) throws { model = try ModelConfiguration(from: decoder) }
    func encode(to encoder: any Encoder) throws { try model.encode(to: encoder) }

    /// Number of parameters of `model`.
    ///
    /// Why it throws: the sizes come from a file, and the tensor table traps on an empty tensor or an overflow.
    ///
    /// - Throws: `corrupt` for sizes that no model can have.
    static func elementCount(of model: ModelConfiguration, file: String) throws(CheckpointError) -> Int {
        let (largestSize, mostLayers) = (ModelConfiguration.largestSize, ModelConfiguration.mostLayers)
        for key in ModelConfiguration.keys {
            guard case .size(let property, let allowed) = key.kind, key.name != "num_hidden_layers" else {
                continue
            }
            let size = model[keyPath: property.path]
            let possible = allowed.lowerBound...largestSize
            guard possible.contains(size) else {
                throw CheckpointError(.corrupt, file: file, "model: \(key.name) is \(size), not in \(possible)")
            }
        }
        for key in ModelConfiguration.keys {
            guard case .number(let property) = key.kind else { continue }
            let number = model[keyPath: property.path]
            guard number > 0, number.isFinite else {
                throw CheckpointError(
                    .corrupt, file: file, "model: \(key.name) is \(number); allowed: finite numbers above 0")
            }
        }
        guard (0...mostLayers).contains(model.hiddenLayerCount) else {
            throw CheckpointError(
                .corrupt, file: file,
                "model: num_hidden_layers is \(model.hiddenLayerCount), not in 0...\(mostLayers)")
        }
        if let contradiction = model.contradictions.first {
            throw CheckpointError(
                .corrupt, file: file,
                "model: \(contradiction.key) is \(contradiction.found); allowed: \(contradiction.allowed)")
        }
        guard !model.headsShareHidden || model.hiddenSize % model.attentionHeadCount == 0,
            model.attentionHeadCount % model.keyValueHeadCount == 0
        else {
            throw CheckpointError(
                .corrupt, file: file,
                "model: \(model.attentionHeadCount) heads do not divide hidden_size \(model.hiddenSize), or"
                    + " \(model.keyValueHeadCount) key-value heads do not divide the heads")
        }
        // Why here too: rotary embeddings trap on pairs that are none.
        guard model.headSize.isMultiple(of: 2) else {
            throw CheckpointError(
                .corrupt, file: file, "model: heads have \(model.headSize) features; allowed: an even number")
        }
        return model.tensorTable.count
    }
}

/// A tensor of the stored table: its name and its shape.
struct TensorRecord: Codable, Equatable {
    var name: String
    var shape: [Int]

    static func table(of model: ModelConfiguration) -> [TensorRecord] {
        model.tensorTable.entries.map { TensorRecord(name: $0.name, shape: $0.shape) }
    }
}
