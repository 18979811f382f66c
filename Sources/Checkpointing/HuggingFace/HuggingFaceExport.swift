// HuggingFaceExport - a checkpoint written as a directory that `from_pretrained` loads.

internal import LlamaModel
internal import Tensors

/// Writes the parameters of an open checkpoint in Hugging Face's form.
///
/// The directory appears under its name when everything is in it: it is written beside, made durable and renamed. The
/// same checkpoint gives the same bytes. Memory is one block of floats, whatever the model's size.
public struct HuggingFaceExport {
    /// Bytes of tensors from which on a model is cut into several files: 5 GB, as `save_pretrained` used to.
    public static let shardByteCount = 5_000_000_000

    private let reader: CheckpointReader
    private let shardByteCount: Int

    /// Floats per block: 16 MiB.
    private static let blockCount = 1 << 22

    /// - Parameters:
    ///   - reader: a checkpoint, verified by the caller.
    ///   - shardByteCount: most bytes of tensors in a file that holds more than one.
    public init(_ reader: CheckpointReader, shardByteCount: Int = HuggingFaceExport.shardByteCount) {
        precondition(shardByteCount > 0, "a shard of \(shardByteCount) bytes holds nothing")
        self.reader = reader
        self.shardByteCount = shardByteCount
    }

    /// Writes the directory.
    ///
    /// - Returns: what the user should know about it, a sentence each.
    /// - Throws: ``HuggingFaceError``: `destination` where something is in the way; ``CheckpointError``.
    public func write(to directory: String) throws -> [String] {
        let directory = Files.trimmingSlashes(directory)
        try Self.requireFree(directory)
        let index = reader.index
        let tokenizer = try HuggingFaceTokenizer(index.tokenizer, model: index.model)
        let temporary = directory + ".mile-dist-partial"
        if try Files.status(temporary) != .absent { try Files.removeDirectory(temporary) }
        try Files.makeDirectories(temporary)
        do {
            let configuration = HuggingFaceConfiguration(model: index.model)
            try Files.write(
                Array(configuration.text(tokens: tokenizer.special).utf8),
                to: temporary + "/" + ModelFiles.configuration)
            try Files.write(
                Array(HuggingFaceConfiguration.generationText(tokens: tokenizer.special).utf8),
                to: temporary + "/" + ModelFiles.generation)
            for file in tokenizer.files { try Files.write(file.bytes, to: temporary + "/" + file.name) }
            try writeTensors(index.model.tensorTable, in: temporary)
            try Files.sync(temporary)
            // Takes the place of an empty directory, which is all that can be there.
            try Files.rename(temporary, to: directory)
            try Files.sync(Files.parent(of: directory))
        } catch {
            // The first error is the one to report; what cannot be removed now is removed by the next attempt.
            try? Files.removeDirectory(temporary)
            throw error
        }
        return tokenizer.notes
    }

    private static func requireFree(_ directory: String) throws {
        switch try Files.status(directory) {
        case .absent: return
        case .directory:
            let names = try Files.list(directory)
            guard let name = names.first else { return }
            throw HuggingFaceError(
                .destination, file: directory,
                "the directory is not empty (\(quoted(name))): give another, or move its content away")
        case .file, .other:
            throw HuggingFaceError(
                .destination, file: directory, "there is something that is no directory: give another")
        }
    }

    private func writeTensors(_ table: TensorTable, in directory: String) throws {
        let buffer = Arena(count: min(Self.blockCount, max(table.count, 1))).all
        func write(_ tensors: [TensorTable.Entry], _ name: String) throws {
            try SafetensorsWriter.write(tensors, to: directory + "/" + name, buffer: buffer) { range, target in
                try reader.read(.parameter, range: range, into: target)
            }
        }
        let groups = Self.groups(table.entries, byteCount: shardByteCount)
        if groups.count == 1 { return try write(groups[0], ModelFiles.single) }
        let shards = groups.enumerated().map { number, tensors in
            (file: ModelFiles.shard(number + 1, of: groups.count), tensors: tensors)
        }
        for shard in shards { try write(shard.tensors, shard.file) }
        try Files.write(Array(SafetensorsIndex.text(shards).utf8), to: directory + "/" + ModelFiles.index)
    }

    /// Cuts tensors into files in the order of the forward pass, each as full as it gets.
    static func groups(_ tensors: [TensorTable.Entry], byteCount: Int) -> [[TensorTable.Entry]] {
        var groups: [[TensorTable.Entry]] = []
        var room = 0
        for tensor in tensors {
            let size = tensor.count * MemoryLayout<Float>.stride
            if groups.isEmpty || size > room {
                groups.append([])
                room = byteCount
            }
            groups[groups.count - 1].append(tensor)
            room -= size
        }
        return groups
    }
}
