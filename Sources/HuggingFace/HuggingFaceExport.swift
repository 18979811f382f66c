// HuggingFaceExport - a checkpoint written as a directory that `from_pretrained` loads.

public import Checkpointing
internal import JSONReading
internal import LlamaModel
internal import Tensors

/// Writes the parameters of an open checkpoint in Hugging Face's form, with the files that it carries.
///
/// The directory is written under a temporary name, made durable and renamed. Equal checkpoints give equal bytes.
/// Memory is one block of floats, for any size of model.
public struct HuggingFaceExport {
    /// Most bytes of tensors in one file: 5 GB, once the default of `save_pretrained`.
    public static let shardByteCount = 5_000_000_000

    private let reader: CheckpointReader
    private let type: ExportedType
    private let shardByteCount: Int

    /// Floats per block: 16 MiB.
    private static let blockCount = 1 << 22

    /// - Parameters:
    ///   - reader: a checkpoint, verified by the caller.
    ///   - type: the number format of the weights.
    ///   - shardByteCount: most bytes of tensors in a file that holds more than one.
    public init(
        _ reader: CheckpointReader, type: ExportedType = .fp32, shardByteCount: Int = HuggingFaceExport.shardByteCount
    ) {
        precondition(shardByteCount > 0, "a shard of \(shardByteCount) bytes holds nothing")
        self.reader = reader
        self.type = type
        self.shardByteCount = shardByteCount
    }

    /// Writes the directory.
    ///
    /// - Returns: notes for the user, a sentence each.
    /// - Throws: ``HuggingFaceError``: `destination` where something is in the way, `nonFinite` for numbers that
    ///   the format cannot hold; ``CheckpointError``.
    public func write(to directory: String) throws -> [String] {
        let directory = Files.trimmingSlashes(directory)
        try Self.requireFree(directory)
        let index = reader.index
        let small = try ExportedFiles(index, carried: reader.carriedFiles(), type: type)
        let temporary = directory + ".mile-dist-partial"
        if try Files.status(temporary) != .absent { try Files.removeDirectory(temporary) }
        try Files.makeDirectories(temporary)
        let nonFinite: NonFiniteTensors
        do {
            for file in small.files { try Files.write(file.bytes, to: temporary + "/" + file.name) }
            nonFinite = try writeTensors(index.model.tensorTable, in: temporary)
            try Files.sync(temporary)
            // Takes the place of an empty directory, which is all that can be there.
            try Files.rename(temporary, to: directory)
            try Files.sync(Files.parent(of: directory))
        } catch {
            // The first error is the one to report; what cannot be removed now is removed by the next attempt.
            try? Files.removeDirectory(temporary)
            throw error
        }
        return small.notes
            + (nonFinite.isEmpty ? [] : ["\(nonFinite): the model cannot compute"])
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

    /// - Returns: the tensors with numbers that are not finite.
    private func writeTensors(_ table: TensorTable, in directory: String) throws -> NonFiniteTensors {
        let buffer = Arena(count: min(Self.blockCount, max(table.count, 1))).all
        var damaged: [NonFiniteTensors.Tensor] = []
        func write(_ tensors: [TensorTable.Entry], _ name: String) throws {
            var counts: [Int: Int] = [:]
            try SafetensorsWriter.write(tensors, to: directory + "/" + name, type: type, buffer: buffer) {
                range, target in
                try reader.read(.parameter, range: range, into: target)
                // A block lies within one tensor.
                if let tensor = tensors.first(where: { $0.range.contains(range.lowerBound) }) {
                    counts[tensor.range.lowerBound, default: 0] += target.nonFiniteCount
                }
            }
            damaged += tensors.map { tensor in
                NonFiniteTensors.Tensor(
                    name: tensor.name, count: counts[tensor.range.lowerBound] ?? 0, elementCount: tensor.count)
            }
        }
        func found() -> NonFiniteTensors { NonFiniteTensors(damaged, of: table.entries.count) }
        let groups = Self.groups(table.entries, byteCount: shardByteCount, type: type)
        if groups.count == 1 {
            try write(groups[0], ModelFiles.single)
            return found()
        }
        let shards = groups.enumerated().map { number, tensors in
            (file: ModelFiles.shard(number + 1, of: groups.count), tensors: tensors)
        }
        for shard in shards { try write(shard.tensors, shard.file) }
        try Files.write(Array(SafetensorsIndex.text(shards, type: type).utf8), to: directory + "/" + ModelFiles.index)
        return found()
    }

    /// Groups tensors into files, in the order of the forward pass. A file takes tensors as long as they fit.
    static func groups(
        _ tensors: [TensorTable.Entry], byteCount: Int, type: ExportedType = .fp32
    ) -> [[TensorTable.Entry]] {
        var groups: [[TensorTable.Entry]] = []
        var capacity = 0
        for tensor in tensors {
            let size = tensor.count * type.stored.size
            if groups.isEmpty || size > capacity {
                groups.append([])
                capacity = byteCount
            }
            groups[groups.count - 1].append(tensor)
            capacity -= size
        }
        return groups
    }
}
