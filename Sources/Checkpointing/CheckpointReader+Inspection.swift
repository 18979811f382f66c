// CheckpointReader+Inspection - the JSON of `inspect`: summary, configuration, and hashes of tensors.

internal import FoundationEssentials
internal import LlamaModel
public import Tensors

extension CheckpointReader {
    /// The tensors whose parameters or moments are not all finite.
    public func nonFiniteTensors(_ hashes: [TensorHash]) -> NonFiniteTensors {
        NonFiniteTensors(
            zip(index.model.tensorTable.entries, hashes).map { entry, hash in
                let counts = hash.nonFinite
                return NonFiniteTensors.Tensor(
                    name: entry.name, count: max(counts.parameter, counts.firstMoment, counts.secondMoment),
                    elementCount: entry.count)
            }, of: hashes.count)
    }

    /// The object that `mile-dist inspect --json` prints, on one line.
    ///
    /// Keys: `format`, `step`, `position`, `tokens`, `ranks_written`, `configuration` and `tensors`. `configuration`
    /// is an object, empty for an imported checkpoint. Each of `tensors` has `shape`, and the SHA-256 of `parameter`,
    /// `first_moment` and `second_moment` as row-major little-endian fp32. Where elements are NaN or infinite,
    /// `non_finite` has their numbers.
    ///
    /// - Parameter hashes: the result of ``tensorHashes()``; nil: it is computed.
    /// - Throws: ``CheckpointError`` when a tensor cannot be read or the stored configuration is not JSON.
    public func inspectionJSON(_ hashes: [TensorHash]? = nil) throws -> String {
        struct Counts: Encodable {
            var parameter: Int
            var first_moment: Int
            var second_moment: Int
        }
        struct Tensor: Encodable {
            var shape: [Int]
            var parameter: String
            var first_moment: String
            var second_moment: String
            var non_finite: Counts?
        }
        struct Summary: Encodable {
            var format: Int
            var step: Int
            var position: Int
            var tokens: Int
            var ranks_written: Int
            var configuration: JSONValue
            var tensors: [String: Tensor]
        }
        let text = index.configuration.isEmpty ? "{}" : index.configuration
        let configuration = try JSONText.decode(
            JSONValue.self, from: Array(text.utf8), of: directory + "/" + IndexFile.name)
        var tensors: [String: Tensor] = [:]
        for hash in try hashes ?? tensorHashes() {
            let counts = hash.nonFinite
            tensors[hash.name] = Tensor(
                shape: hash.shape, parameter: hash.parameter, first_moment: hash.firstMoment,
                second_moment: hash.secondMoment,
                non_finite: counts.isZero
                    ? nil
                    : Counts(
                        parameter: counts.parameter, first_moment: counts.firstMoment,
                        second_moment: counts.secondMoment))
        }
        return try JSONText.text(
            Summary(
                format: CheckpointIndex.formatVersion, step: index.step, position: index.position,
                tokens: index.tokens, ranks_written: index.ranksWritten, configuration: configuration,
                tensors: tensors))
    }
}
