// ByteLevel - the byte tokenizer as a `tokenizer.json`.

internal import JSONReading
internal import TokenizerJSON

/// The byte tokenizer for Hugging Face's `tokenizers`: ids 0-255 are bytes, 256 ends a document.
///
/// The library's byte-level model spells each byte as a printable character. The vocabulary is these 256 characters,
/// and there are no merges, so a text's ids are its UTF-8 bytes. One difference stays: the library gives a text with
/// the end token's name that token's id.
enum ByteLevel {
    static let size = 257
    static let endToken = 256
    static let endText = "<|endoftext|>"

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
        let vocabulary = ByteAlphabet.characters.enumerated().map {
            JSONTree.Member(key: String(decoding: $0.element, as: UTF8.self), value: .integer($0.offset))
        }
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
