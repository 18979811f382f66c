// HuggingFaceTokenizer - the tokenizer files beside a model, written from a checkpoint and recognised on import.

internal import Checkpointing
internal import LlamaModel
internal import SentencePieceText

/// What goes into an exported directory so that `AutoTokenizer` gives the ids that the model was trained on.
struct HuggingFaceTokenizer {
    let files: [(name: String, bytes: [UInt8])]
    let special: SpecialTokens
    /// What the user should know about them.
    let notes: [String]

    static let sentencePieceName = "tokenizer.model"
    static let fastName = "tokenizer.json"
    static let settingsName = "tokenizer_config.json"

    /// Largest tokenizer that is read; real ones have a few megabytes.
    static let largestByteCount = 256 << 20

    /// The tokenizer that stands in a checkpoint.
    ///
    /// - Parameter withheld: roles whose id is not known to be the tokenizer's: nothing is written for them.
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
        default:
            self = try Self.sentencePiece(tokenizer, model: model, withheld: withheld)
        }
    }

    /// What only uses the model's file, with SentencePiece itself, whatever the kind of model.
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

    /// What a user has to know where there is no exact `tokenizer.json`.
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

/// The byte tokenizer in the words of Hugging Face's `tokenizers`: ids 0-255 are the byte, 256 ends a document.
///
/// The library's byte-level model spells each byte as a printable character; with those 256 characters for a vocabulary
/// and no merges, a text's ids are its UTF-8 bytes. The one difference: a text that spells out the end token's name gives
/// its id, as with every tokenizer of that library.
enum ByteLevel {
    static let size = 257
    static let endToken = 256
    static let endText = "<|endoftext|>"

    /// The characters that stand for the bytes: printable Latin-1 for itself, the others from U+0100 on in order.
    static let alphabet: [String] = {
        var next: UInt32 = 0x100
        return (UInt32(0)..<256).map { byte in
            let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
            let code = isPrintable ? byte : next
            if !isPrintable { next += 1 }
            return Unicode.Scalar(code).map { String(Character($0)) } ?? ""
        }
    }()

    /// `tokenizer.json`.
    static let file: [UInt8] = {
        let step: JSONTree = .members([
            "type": .string("ByteLevel"), "add_prefix_space": .boolean(false), "trim_offsets": .boolean(true),
            "use_regex": .boolean(false),
        ])
        let end: JSONTree = .members([
            "id": .integer(endToken), "content": .string(endText), "single_word": .boolean(false),
            "lstrip": .boolean(false), "rstrip": .boolean(false), "normalized": .boolean(false),
            "special": .boolean(true),
        ])
        let vocabulary = alphabet.enumerated().map { JSONTree.Member(key: $0.element, value: .integer($0.offset)) }
        return Array(
            JSONTree.members([
                "version": .string("1.0"), "truncation": .null, "padding": .null, "added_tokens": .array([end]),
                "normalizer": .null, "pre_tokenizer": step, "post_processor": .null, "decoder": step,
                "model": .members([
                    "type": .string("BPE"), "dropout": .null, "unk_token": .null, "continuing_subword_prefix": .null,
                    "end_of_word_suffix": .null, "fuse_unk": .boolean(false), "byte_fallback": .boolean(false),
                    "vocab": .object(vocabulary), "merges": .array([]),
                ]),
            ]).text.utf8)
    }()
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

    /// What sets the model apart from LLaMA's.
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
