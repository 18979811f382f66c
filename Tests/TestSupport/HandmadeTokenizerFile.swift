// HandmadeTokenizerFile - a small tokenizer.json, written part by part.

/// The bytes of a `tokenizer.json` of byte-level BPE, for tests of readers.
///
/// Ids 0 to 255 are the bytes; then come "ab", " a" and "é"; `end` and `other` are special. Other ids are none.
public struct HandmadeTokenizerFile {
    /// One more than the greatest id.
    public static let size = 265
    /// Ids below ``size`` that are no tokens.
    public static let holes: [Int32] = [259, 260, 261, 263]
    public static let end = (id: Int32(262), text: "<|end|>")
    public static let other = (id: Int32(264), text: "<|other|>")

    /// The file's member `type` of the model; anything but BPE is not supported.
    public var modelType = "BPE"

    public init() {}

    /// The character that spells a byte: printable Latin-1 characters themselves, the others from U+0100 on in order.
    private static func spelled(_ byte: Int) -> String {
        func isPrintable(_ byte: Int) -> Bool {
            (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
        }
        let code = isPrintable(byte) ? byte : 0x100 + (0..<byte).count { !isPrintable($0) }
        return Unicode.Scalar(UInt32(code)).map { String(Character($0)) } ?? ""
    }

    public var text: String {
        let bytes = (0..<256).map { byte in
            let text = Self.spelled(byte)
            return "\"\(text == "\"" || text == "\\" ? "\\" + text : text)\":\(byte)"
        }
        let merged = ["\"ab\":256", "\"\u{120}a\":257", "\"Ã©\":258"]
        let special = [Self.end, Self.other]
        let vocabulary = bytes + merged + special.map { "\"\($0.text)\":\($0.id)" }
        let added = special.map {
            "{\"id\":\($0.id),\"content\":\"\($0.text)\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
                + "\"normalized\":false,\"special\":true}"
        }
        let step = #"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}"#
        return """
            {"version":"1.0","truncation":null,"padding":null,"added_tokens":[\(added.joined(separator: ","))],
             "normalizer":null,"pre_tokenizer":\(step),"post_processor":null,"decoder":\(step),
             "model":{"type":"\(modelType)","dropout":null,"unk_token":null,"fuse_unk":false,"byte_fallback":false,
                      "vocab":{\(vocabulary.joined(separator: ","))},"merges":["a b","\u{120} a","Ã ©"]}}

            """
    }

    public var bytes: [UInt8] { Array(text.utf8) }
}
