// HuggingFaceTokenizer - the tokenizer files beside a model, written from a checkpoint and recognised on import.

internal import Checkpointing
internal import JSONReading
internal import LlamaModel
internal import SentencePieceText
internal import Tokenizers

/// The files of an exported directory with which `AutoTokenizer` gives the ids of training.
struct HuggingFaceTokenizer {
    let files: [(name: String, bytes: [UInt8])]
    let special: SpecialTokens
    /// Notes for the user, a sentence each.
    let notes: [String]

    static let sentencePieceName = "tokenizer.model"
    static let fastName = "tokenizer.json"
    static let settingsName = "tokenizer_config.json"

    /// Largest tokenizer that is read; real ones have a few megabytes.
    static let largestByteCount = 256 << 20

    /// The files for the tokenizer of a checkpoint.
    ///
    /// - Parameter withheld: roles whose ids are left out.
    /// - Throws: `badTokenizer` if its SentencePiece model cannot be read.
    init(
        _ tokenizer: CheckpointIndex.Tokenizer, model: ModelConfiguration, withheld: Set<TokenRole> = []
    ) throws(HuggingFaceError) {
        switch tokenizer.name {
        case CheckpointIndex.Tokenizer.bytesName:
            guard model.vocabularySize >= ByteLevel.size else {
                self.init(files: [], special: SpecialTokens(), notes: ["the model has too few tokens for a tokenizer"])
                return
            }
            let special = SpecialTokens(end: ByteLevel.endToken).without(withheld)
            let settings = Self.settings([
                "clean_up_tokenization_spaces": .boolean(false),
                "eos_token": special.end == nil ? .null : .string(ByteLevel.endText),
                "model_max_length": .integer(model.maxPositionEmbeddings),
                "tokenizer_class": .string("PreTrainedTokenizerFast"),
            ])
            self.init(files: [(Self.fastName, ByteLevel.file), settings], special: special, notes: [])
        case CheckpointIndex.Tokenizer.noneName:
            self.init(
                files: [], special: SpecialTokens(),
                notes: ["the checkpoint has no tokenizer: copy the tokenizer's files from where it was imported"])
        case let name where name.hasSuffix(JSONTokenizer.suffix):
            self = try Self.json(tokenizer, model: model, withheld: withheld)
        default:
            self = try Self.sentencePiece(tokenizer, model: model, withheld: withheld)
        }
    }

    /// The same `tokenizer.json`, byte for byte, and its end token.
    private static func json(
        _ tokenizer: CheckpointIndex.Tokenizer, model: ModelConfiguration, withheld: Set<TokenRole>
    ) throws(HuggingFaceError) -> HuggingFaceTokenizer {
        let special = SpecialTokens(end: tokenizer.endToken).within(model.vocabularySize).without(withheld)
        let end = try JSONTokenizer(tokenizer).text(special.end)
        let settings = settings([
            "clean_up_tokenization_spaces": .boolean(false),
            "eos_token": end.map(JSONTree.string) ?? .null,
            "model_max_length": .integer(model.maxPositionEmbeddings),
            "tokenizer_class": .string("PreTrainedTokenizerFast"),
        ])
        return HuggingFaceTokenizer(files: [(fastName, tokenizer.bytes), settings], special: special, notes: [])
    }

    /// The class of transformers 5 that runs SentencePiece on `tokenizer.model`, for any kind of model.
    private static let nativeClass = "SentencePieceBackend"

    private static func sentencePiece(
        _ tokenizer: CheckpointIndex.Tokenizer, model: ModelConfiguration, withheld: Set<TokenRole>
    ) throws(HuggingFaceError) -> HuggingFaceTokenizer {
        let pieces = try SentencePieceModel(tokenizer.bytes, file: tokenizer.name)
        let special = pieces.special.within(model.vocabularySize).without(withheld)
        func text(_ id: Int?) -> JSONTree { pieces.text(id).map(JSONTree.string) ?? .null }
        let fast = pieces.tokenizerJSON
        // No begin token: training documents have none.
        let settings = settings([
            "add_bos_token": .boolean(false),
            "add_eos_token": .boolean(false),
            "bos_token": text(special.begin),
            "clean_up_tokenization_spaces": .boolean(false),
            "eos_token": text(special.end),
            "legacy": .boolean(true),
            "model_max_length": .integer(model.maxPositionEmbeddings),
            "pad_token": text(special.padding),
            "tokenizer_class": .string(fast == nil ? nativeClass : "PreTrainedTokenizerFast"),
            "unk_token": text(special.unknown),
        ])
        var files = [(name: sentencePieceName, bytes: tokenizer.bytes), settings]
        if let fast { files.append((fastName, fast)) }
        return HuggingFaceTokenizer(files: files, special: special, notes: fast == nil ? [nativeNote(pieces)] : [])
    }

    /// The note for a tokenizer without an exact `tokenizer.json`.
    private static func nativeNote(_ pieces: SentencePieceModel) -> String {
        let bytes =
            pieces.pieces.contains { $0.kind == .byte }
            ? "; it decodes bytes as <0x0A>, so decode with the package sentencepiece" : ""
        return
            "the tokenizer (\(pieces.kindInWords)) has no exact tokenizer.json: AutoTokenizer gives the ids of training"
            + " from \(sentencePieceName), by the class \(nativeClass) of transformers 5 with the package sentencepiece;"
            + " transformers 4 refuses it" + bytes
    }

    private init(files: [(name: String, bytes: [UInt8])], special: SpecialTokens, notes: [String]) {
        (self.files, self.special, self.notes) = (files, special, notes)
    }

    private static func settings(_ members: KeyValuePairs<String, JSONTree>) -> (name: String, bytes: [UInt8]) {
        (settingsName, Array(JSONTree.members(members).text.utf8))
    }
}

extension JSONTokenizer {
    /// - Throws: `badTokenizer` for a record that is no `tokenizer.json` which can be executed here.
    init(_ tokenizer: CheckpointIndex.Tokenizer) throws(HuggingFaceError) {
        do {
            try self.init(
                modelBytes: tokenizer.bytes, name: tokenizer.name, origin: tokenizer.name,
                endToken: tokenizer.endToken.map { Int32(clamping: $0) })
        } catch {
            throw HuggingFaceError(.badTokenizer, file: tokenizer.name, "\(error)")
        }
    }

    /// The text of a special token.
    func text(_ id: Int?) -> String? {
        id.flatMap { Int32(exactly: $0) }.flatMap { piece($0) }.map { String(decoding: $0, as: UTF8.self) }
    }
}

extension SentencePieceModel {
    /// - Throws: `badTokenizer` for bytes that are no such model.
    init(_ bytes: [UInt8], file: String) throws(HuggingFaceError) {
        do {
            try self.init(bytes)
        } catch {
            throw HuggingFaceError(.badTokenizer, file: file, error.description)
        }
    }

    /// The kind of model in words, with its differences from LLaMA's.
    var kindInWords: String {
        let kind =
            switch algorithm {
            case .unigram: "unigram"
            case .bpe: "BPE"
            case .word: "word"
            case .character: "character"
            case nil: "of an unknown kind"
            }
        let traits = [
            (replacesText, "normalisation"), (!escapesBlanks, "plain blanks"),
            (addsBlank && addsBlankBehind, "blanks behind words"),
            (pieces.contains { $0.kind == .userDefined }, "user-defined symbols"),
            (pieces.contains { $0.kind == .unused }, "unused pieces"),
        ].filter(\.0).map(\.1)
        return kind + (traits.isEmpty ? "" : " with " + traits.joined(separator: ", "))
    }

    var special: SpecialTokens {
        SpecialTokens(begin: beginId, end: endId, padding: paddingId, unknown: unknownId)
    }

    /// The text of a special piece.
    func text(_ id: Int?) -> String? { id.map { String(decoding: pieces[$0].text, as: UTF8.self) } }
}
