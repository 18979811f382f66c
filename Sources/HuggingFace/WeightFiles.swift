// WeightFiles - the safetensors files of one model: finds, checks and reads its tensors.

internal import Checkpointing
internal import Glibc
internal import JSONReading
internal import LlamaModel
internal import Tensors

/// The weights of a model in one file or several.
struct WeightFiles {
    private static let head = "lm_head.weight"
    private static let embedding = "model.embed_tokens.weight"

    /// A tensor in one of the files.
    private struct Location {
        let file: Int
        let tensor: SafetensorsHeader.Tensor
    }

    private let files: [SafetensorsFile]
    /// The location of each tensor of the model's table.
    private let locations: [String: Location]
    /// The head that the files of a tied model hold; it must equal the embedding.
    private let tiedHead: Location?

    /// Opens all files, checks their headers, and compares them with the model's tensors.
    ///
    /// - Throws: ``HuggingFaceError``.
    init(directory: String, model: ModelConfiguration) throws {
        files = try Self.open(directory)
        var found: [String: Location] = [:]
        for (number, file) in files.enumerated() {
            for tensor in file.header.tensors where !Self.isBuffer(tensor.name) {
                if let other = found.updateValue(Location(file: number, tensor: tensor), forKey: tensor.name) {
                    throw HuggingFaceError(
                        .duplicateTensor, file: file.path,
                        "\(quoted(tensor.name)) is also in \(files[other.file].path)")
                }
            }
        }
        let table = model.tensorTable
        for entry in table.entries {
            guard let place = found[entry.name] else {
                let remedy =
                    entry.name == Self.head
                    ? "; if the model has its embedding for a head, say so: tie_word_embeddings true in config.json"
                    : ""
                throw HuggingFaceError(
                    .missingTensor, file: directory, "no file holds the tensor \(entry.name)\(remedy)")
            }
            try Self.check(place.tensor, shape: entry.shape, path: files[place.file].path)
        }
        tiedHead = model.tieWordEmbeddings ? found[Self.head] : nil
        if let tiedHead {
            try Self.check(
                tiedHead.tensor, shape: [model.vocabularySize, model.hiddenSize], path: files[tiedHead.file].path)
        }
        let unexpected = found.keys.filter { table[$0] == nil && !(model.tieWordEmbeddings && $0 == Self.head) }
        if let name = unexpected.min(), let place = found[name] {
            throw HuggingFaceError(
                .unexpectedTensor, file: files[place.file].path,
                "the model that config.json describes has no tensor \(quoted(name))"
                    + (unexpected.count > 1 ? " (and \(unexpected.count - 1) more)" : "")
                    + ": the two do not belong together, or the model has more than its architecture")
        }
        locations = found
    }

    /// Whether a tensor is the rotary frequencies, which earlier versions of transformers stored. They follow from
    /// `rope_theta`.
    private static func isBuffer(_ name: String) -> Bool { name.hasSuffix(".rotary_emb.inv_freq") }

    private static func check(
        _ tensor: SafetensorsHeader.Tensor, shape: [Int], path: String
    ) throws(HuggingFaceError) {
        guard tensor.shape == shape else {
            throw HuggingFaceError(
                .wrongShape, file: path,
                "\(tensor.name) has the shape \(tensor.shape); config.json makes it \(shape)")
        }
        guard [.float32, .float16, .bfloat16].contains(tensor.type) else {
            throw HuggingFaceError(
                .unreadableType, file: path,
                "\(tensor.name) has the dtype \(tensor.type.rawValue); weights are read as F32, F16 or BF16")
        }
    }

    /// Opens the one file, or all files of the index. Each must hold exactly the tensors that the index says.
    private static func open(_ directory: String) throws -> [SafetensorsFile] {
        let single = directory + "/" + ModelFiles.single
        if try Files.status(single) != .absent { return [try SafetensorsFile(path: single)] }
        let path = directory + "/" + ModelFiles.index
        guard let bytes = try HuggingFaceImport.contents(path, limit: SafetensorsIndex.largestByteCount) else {
            throw HuggingFaceError(
                .missing, file: single, "the weights are missing\(try FoundFiles(directory).advice)")
        }
        let index = try SafetensorsIndex(bytes, file: path)
        let files = try index.files.map { name in
            guard try Files.status(directory + "/" + name) != .absent else {
                throw HuggingFaceError(.missing, file: directory + "/" + name, "the shard is missing")
            }
            return try SafetensorsFile(path: directory + "/" + name)
        }
        var count = 0
        for file in files {
            let name = Files.name(of: file.path)
            for tensor in file.header.tensors where index.fileByTensor[tensor.name] != nil || !isBuffer(tensor.name) {
                guard index.fileByTensor[tensor.name] == name else {
                    throw HuggingFaceError(
                        .badIndex, file: path,
                        "\(name) holds \(quoted(tensor.name)), which the index does not say")
                }
                count += 1
            }
        }
        if count < index.fileByTensor.count {
            let held = Set(files.flatMap { $0.header.tensors.map(\.name) })
            let name = index.fileByTensor.keys.filter { !held.contains($0) }.min() ?? ""
            throw HuggingFaceError(
                .badIndex, file: path, "the index promises \(quoted(name)), which its file does not hold")
        }
        return files
    }

    /// Reads every tensor into its range of the flat space.
    ///
    /// - Throws: ``HuggingFaceError``; `tiedHeadDiffers` where a tied model brings a head of its own.
    func read(_ table: TensorTable, into parameters: FloatSlice) throws(HuggingFaceError) {
        for entry in table.entries {
            guard let place = locations[entry.name] else { preconditionFailure("\(entry.name) was found before") }
            try files[place.file].read(place.tensor, into: parameters[entry.range])
        }
        guard let tiedHead, let embedding = table[Self.embedding] else { return }
        let head = Arena(count: embedding.count).all
        try files[tiedHead.file].read(tiedHead.tensor, into: head)
        guard head.hasSameBits(as: parameters[embedding.range]) else {
            throw HuggingFaceError(
                .tiedHeadDiffers, file: files[tiedHead.file].path,
                "config.json ties the head to the embedding, but \(Self.head) is another: set tie_word_embeddings to"
                    + " false to keep it, or remove it")
        }
    }
}
