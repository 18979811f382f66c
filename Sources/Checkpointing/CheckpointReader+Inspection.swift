// CheckpointReader+Inspection - the JSON of `inspect`: summary, configuration, and hashes of tensors.

internal import FoundationEssentials
internal import LlamaModel
public import Tensors

extension CheckpointReader {
    /// The tensors whose parameters or optimizer state are not all finite.
    public func nonFiniteTensors(_ hashes: [TensorHash]) -> NonFiniteTensors {
        NonFiniteTensors(
            zip(index.model.tensorTable.entries, hashes).map { entry, hash in
                NonFiniteTensors.Tensor(
                    name: entry.name, count: hash.nonFinite.values.max() ?? 0, elementCount: entry.count)
            }, of: hashes.count)
    }

    /// The object that `mile-dist inspect --json` prints, on one line.
    ///
    /// Keys: `format`, `step`, `position`, `tokens`, `ranks_written`, `configuration` and `tensors`. `configuration`
    /// is an object, empty for an imported checkpoint. Each of `tensors` has `shape`, and the SHA-256 of `parameter`
    /// and of the optimizer's state tensors as row-major little-endian fp32 (AdamW: `first_moment`, `second_moment`).
    /// Where elements are NaN or infinite, `non_finite` has their numbers. A checkpoint with carried files also has
    /// `carried_files`: by name the `byte_count` and the `sha256` of each.
    ///
    /// - Parameter hashes: the result of ``tensorHashes()``; nil: it is computed.
    /// - Throws: ``CheckpointError`` when a tensor cannot be read or the stored configuration is not JSON.
    public func inspectionJSON(_ hashes: [TensorHash]? = nil) throws -> String {
        struct Summary: Encodable {
            var format: Int
            var step: Int
            var position: Int
            var tokens: Int
            var ranks_written: Int
            var configuration: StoredJSON
            var tensors: [String: StoredJSON]
            var carried_files: [String: StoredJSON]?
        }
        let text = index.configuration.isEmpty ? "{}" : index.configuration
        let configuration = try JSONText.decode(
            StoredJSON.self, from: Array(text.utf8), of: directory + "/" + IndexFile.name)
        var tensors: [String: StoredJSON] = [:]
        for hash in try hashes ?? tensorHashes() {
            var tensor: [String: StoredJSON] = ["shape": .array(hash.shape.map { .integer(Int64($0)) })]
            for (role, digits) in hash.hashes { tensor[role.rawValue] = .text(digits) }
            if hash.nonFinite.values.contains(where: { $0 > 0 }) {
                let counts = hash.nonFinite.map { ($0.rawValue, StoredJSON.integer(Int64($1))) }
                tensor["non_finite"] = .object(Dictionary(uniqueKeysWithValues: counts))
            }
            tensors[hash.name] = .object(tensor)
        }
        let carried = index.carriedFiles.map { file in
            let record: [String: StoredJSON] = [
                "byte_count": .integer(Int64(file.byteCount)), "sha256": .text(file.sha256),
            ]
            return (file.name, StoredJSON.object(record))
        }
        return try JSONText.text(
            Summary(
                format: CheckpointIndex.formatVersion, step: index.step, position: index.position,
                tokens: index.tokens, ranks_written: index.ranksWritten, configuration: configuration,
                tensors: tensors,
                carried_files: carried.isEmpty ? nil : Dictionary(carried) { first, _ in first }))
    }
}
