// SafetensorsIndex - model.safetensors.index.json: which shard holds which tensor.

internal import JSONReading
internal import Tensors

/// The index of a model in several files.
struct SafetensorsIndex: Equatable {
    /// Largest index that is read, in bytes: far above any real one (8192 layers make 8 MB).
    static let largestByteCount = 64 << 20

    /// Name of the file that holds each tensor.
    let fileByTensor: [String: String]

    /// The files in order of their names.
    var files: [String] { Set(fileByTensor.values).sorted() }
}

extension SafetensorsIndex {
    /// Reads an index. Only `weight_map` is used: the files themselves have the sums of `metadata`.
    init(_ bytes: [UInt8], file: String) throws(HuggingFaceError) {
        var scanner = JSONScanner(bytes, file: file)
        var map: [String: String]?
        try scanner.object("the index") { scanner, key throws(HuggingFaceError) in
            guard key == "weight_map" else { return try scanner.skip() }
            var entries: [String: String] = [:]
            try scanner.object("weight_map") { scanner, tensor throws(HuggingFaceError) in
                let name = try scanner.string("weight_map of \(quoted(tensor))")
                guard Self.isPlain(name) else {
                    throw HuggingFaceError(
                        .badFileName, file: file,
                        "\(quoted(tensor)) is said to be in \(quoted(name)); allowed is the name of a .safetensors file"
                            + " in the same directory")
                }
                entries[tensor] = name
            }
            map = entries
        }
        try scanner.finish()
        guard let map, !map.isEmpty else {
            throw HuggingFaceError(.badIndex, file: file, "the index has no weight_map, or an empty one")
        }
        fileByTensor = map
    }

    /// Whether a name is that of a `.safetensors` file in the directory, without any path.
    static func isPlain(_ name: String) -> Bool {
        name.utf8.count <= 255 && name.hasSuffix(".safetensors") && !name.hasPrefix(".") && !name.contains("..")
            && !name.unicodeScalars.contains { $0 == "/" || $0 == "\\" || $0.properties.generalCategory == .control }
    }

    /// The index of shards, as `save_pretrained` writes it.
    static func text(
        _ shards: [(file: String, tensors: [TensorTable.Entry])], type: ExportedType = .fp32
    ) -> String {
        let entries = shards.flatMap { shard in shard.tensors.map { (tensor: $0, file: shard.file) } }
        let count = entries.reduce(0) { $0 + $1.tensor.count }
        let map = entries.sorted { $0.tensor.name < $1.tensor.name }
            .map { JSONTree.Member(key: $0.tensor.name, value: .string($0.file)) }
        return JSONTree.members([
            "metadata": .members([
                "total_parameters": .integer(count), "total_size": .integer(count * type.stored.size),
            ]),
            "weight_map": .object(map),
        ]).text
    }
}
