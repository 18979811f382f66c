// DataSettingNames - names of the settings in errors about data: keys of a configuration, or options of a command.

public import Tokenizers
internal import InputFiles

/// The names of settings in errors about data. A command without a configuration names its options.
public struct DataSettingNames: Sendable {
    /// The list of domains: `data.train`, or an option.
    public let list: String
    let sequenceLength: String
    let vocabularySize: String
    let tokenizer: String
    let tokenizerRemedy: String
    /// The error for text where there is no tokenizer.
    let missingTokenizer: (problem: String, remedy: String)
    private let hasKeys: Bool

    /// The keys of a configuration.
    public static func configuration(_ purpose: DataPurpose) -> DataSettingNames {
        DataSettingNames(
            list: "data.\(purpose.rawValue)", sequenceLength: "data.sequence_length",
            vocabularySize: "model.vocab_size", tokenizer: "data.tokenizer",
            tokenizerRemedy: "set data.tokenizer to the one that the text was prepared with",
            missingTokenizer: (
                "data.tokenizer is \(noTokenizerName), which cannot read text",
                "give the prefix of prepared data, or set data.tokenizer to the tokenizer of the model"
            ), hasKeys: true)
    }

    /// The names for an option whose files are read with a checkpoint's tokenizer.
    ///
    /// - Parameter sequenceLength: the option that cuts the files.
    public static func option(
        _ name: String, _ tokenizer: CheckpointTokenizer, sequenceLength: String = "--sequence-length"
    ) -> DataSettingNames {
        var missingTokenizer = ("", "")
        if case .unusable(let error) = tokenizer { missingTokenizer = (error.problem, error.remedy) }
        return DataSettingNames(
            list: name, sequenceLength: sequenceLength, vocabularySize: "the model's vocab_size",
            tokenizer: "the checkpoint's tokenizer",
            tokenizerRemedy: "take a checkpoint of the model that the text was prepared for",
            missingTokenizer: missingTokenizer,
            hasKeys: false)
    }

    /// The setting that names the path of domain `index`.
    func path(_ index: Int) -> String { hasKeys ? "\(list)[\(index)].path" : list }

    /// The setting that gives domain `index` its name.
    func name(_ index: Int) -> String { hasKeys ? "\(list)[\(index)].name" : list }

    /// Domain `index` within a sentence.
    func domain(_ index: Int) -> String { hasKeys ? "\(list)[\(index)]" : "file \(index + 1) of \(list)" }
}
