// CarriedConfiguration - the config.json of an export: the imported one, changed where the model has become another.

internal import JSONReading
internal import Checkpointing
internal import LlamaModel

/// The `config.json` to write for a checkpoint that carries one.
struct CarriedConfiguration {
    let bytes: [UInt8]
    /// A sentence where the imported file could not be kept.
    let notes: [String]

    /// Keeps the carried bytes, and replaces the values that the export says otherwise.
    ///
    /// These are the type of the weights and the model's keys. Where they are right already, no byte changes.
    ///
    /// - Parameters:
    ///   - carried: `config.json` as it was imported.
    ///   - model: the model of the checkpoint.
    ///   - generated: what an export writes for the model where nothing is carried.
    ///   - torchName: PyTorch's name for the type of the exported weights.
    init(_ carried: [UInt8], model: ModelConfiguration, generated: [UInt8], torchName: String) {
        let file = ModelFiles.configuration
        do throws(HuggingFaceError) {
            // A checkpoint from elsewhere may carry what no import takes.
            guard carried.count <= HuggingFaceConfiguration.largestByteCount else {
                throw HuggingFaceError(.badConfiguration, file: file, "it has \(carried.count) bytes")
            }
            let tree = try JSONTree(carried, file: file)
            let written = try JSONTree(generated, file: file)
            let imported = try HuggingFaceConfiguration(tree, file: file).model
            var values = Self.typeChanges(tree, torchName: torchName)
            if imported != model {
                for key in ModelConfiguration.keys where key.text(in: imported) != key.text(in: model) {
                    for name in Self.names(of: key.name, in: tree) {
                        if let value = written[name] { values.append((name, value)) }
                    }
                }
            }
            let changed = values.isEmpty ? carried : MemberSpans.replacing(values, in: carried)
            // Why the second reading: it also finds a setting that stands in another form than a key's.
            guard try HuggingFaceConfiguration(changed, file: file).model == model else {
                throw HuggingFaceError(.badConfiguration, file: file, "the model has changed in more than its keys")
            }
            (bytes, notes) = (changed, [])
        } catch {
            (bytes, notes) = (generated, ["\(error); the file is written anew, without its other settings"])
        }
    }

    /// The members that state a key of the model. The rotary base stands in one of two places, or in both.
    private static func names(of key: String, in tree: JSONTree) -> [String] {
        guard key == "rope_theta" else { return [key] }
        let stated = ["rope_theta", "rope_parameters"].filter { tree[$0] ?? .null != .null }
        return stated.isEmpty ? [key] : stated
    }

    /// The members that state another type than that of the weights: `dtype` (transformers 5) or `torch_dtype`.
    private static func typeChanges(_ tree: JSONTree, torchName: String) -> [(key: String, value: JSONTree)] {
        let stated = ["torch_dtype", "dtype"].filter { tree[$0] ?? .null != .null }
        // A file without a type means fp32.
        if stated.isEmpty { return torchName == "float32" ? [] : [("torch_dtype", .string(torchName))] }
        return stated.filter { tree[$0] != .string(torchName) && tree[$0] != .string("torch." + torchName) }
            .map { ($0, .string(torchName)) }
    }
}
