// ExportedFiles - the files of an exported directory but the weights: those that are carried, and those that are made.

internal import JSONReading
internal import Checkpointing
internal import LlamaModel

/// The files beside the weights that an export writes for a checkpoint.
///
/// Carried files come out as they went in. A file is made only where nothing that is carried says the same.
struct ExportedFiles {
    let files: [(name: String, bytes: [UInt8])]
    /// Notes for the user, a sentence each.
    let notes: [String]

    /// - Parameters:
    ///   - carried: the carried files of the checkpoint.
    ///   - type: the number format of the exported weights.
    /// - Throws: `badTokenizer` if a SentencePiece model must be read and cannot.
    init(
        _ index: CheckpointIndex, carried: [CarriedFile], type: ExportedType = .fp32
    ) throws(HuggingFaceError) {
        func bytes(_ name: String) -> [UInt8]? { carried.first { $0.name == name }?.bytes }
        let configuration = bytes(ModelFiles.configuration)
        // Files beside a tokenizer.model change what it does, so none is added to them.
        let makesTokenizer = carried.allSatisfy { file in
            !CarriedFile.isOfTokenizer(file.name)
                || file.name == HuggingFaceTokenizer.sentencePieceName && file.bytes == index.tokenizer.bytes
        }
        let tokenizer =
            try makesTokenizer || configuration == nil
            ? HuggingFaceTokenizer(index.tokenizer, model: index.model, withheld: index.withheldTokens) : nil
        let special = tokenizer?.special ?? SpecialTokens()

        var files: [(name: String, bytes: [UInt8])] = []
        var notes = makesTokenizer ? tokenizer?.notes ?? [] : []
        let generated = Array(HuggingFaceConfiguration(model: index.model).text(tokens: special, type: type).utf8)
        var makesGeneration = bytes(ModelFiles.generation) == nil
        if let configuration {
            let kept = CarriedConfiguration(
                configuration, model: index.model, generated: generated, torchName: type.torchName)
            files.append((ModelFiles.configuration, kept.bytes))
            notes += kept.notes
            // transformers makes these settings of a config.json that states the end token.
            makesGeneration =
                makesGeneration && makesTokenizer && special.end != nil
                && Self.tree(kept.bytes)?[TokenRole.end.idKey] == nil
        } else {
            files.append((ModelFiles.configuration, generated))
            notes += Self.withheldNote(index)
        }
        if makesGeneration {
            let text = HuggingFaceConfiguration.generationText(tokens: special)
            files.append((ModelFiles.generation, Array(text.utf8)))
        }
        if makesTokenizer, let tokenizer { files += tokenizer.files }
        let made = Set(files.map(\.name))
        // No name may take the place of weights, whatever a checkpoint says.
        files += carried.filter { !made.contains($0.name) && !SmallFiles.isOfWeights($0.name) }
            .map { ($0.name, $0.bytes) }
        self.files = files
        self.notes = notes
    }

    private static func tree(_ bytes: [UInt8]) -> JSONTree? { try? JSONTree(bytes, file: ModelFiles.configuration) }

    /// A note about ids that are left out, because the right ones are not known.
    private static func withheldNote(_ index: CheckpointIndex) -> [String] {
        let keys = TokenRole.allCases.filter(index.withheldTokens.contains).map(\.idKey)
        guard !keys.isEmpty else { return [] }
        return [
            "\(keys.joined(separator: ", ")): left out, because the model was imported with other values than its"
                + " tokenizer's; set the right ones in \(ModelFiles.configuration) and \(ModelFiles.generation)"
        ]
    }
}
