// EndTokens - the tokens at which generated text ends, from the carried settings of a model.

internal import JSONReading
public import Checkpointing

/// The tokens at which generated text ends.
public enum EndTokens {
    /// The ids that a model's settings state as `eos_token_id`: one, or each of a list.
    ///
    /// - Parameter files: carried files of a checkpoint. What is no JSON states none: the import has said so. Nor does a
    ///   file above 16 MiB, which an import passes over too.
    public static func stated(in files: [CarriedFile]) -> Set<Int32> {
        var ids: Set<Int32> = []
        for file in files where CarriedFile.settingsNames.contains(file.name) {
            guard file.bytes.count <= UnusedSettings.largestByteCount,
                let value = (try? JSONTree(file.bytes, file: file.name))?[TokenRole.end.idKey]
            else { continue }
            let values = if case .array(let list) = value { list } else { [value] }
            ids.formUnion(values.compactMap { $0.integer.flatMap { Int32(exactly: $0) } })
        }
        return ids
    }
}
