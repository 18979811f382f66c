// PairMerging - a SentencePiece BPE model as Hugging Face's tokenizer.json, with the same ids.

internal import SentencePieceText

extension SentencePieceModel {
    /// The `tokenizer.json` that gives this model's ids; nil for a model that the format cannot follow exactly.
    ///
    /// transformers can convert a `tokenizer.model` itself, but needs two more packages for it, and from version 5 on
    /// treats runs of blanks differently from SentencePiece. What is followed is the kind of model that LLaMA has: pairs
    /// merged by score, unknown characters as bytes, the text as it is.
    var tokenizerJSON: [UInt8]? {
        guard mergesPairs, !changesText, let unknown = text(special.unknown),
            pieces.count(where: { $0.kind == .byte }) == 256,
            !pieces.contains(where: { $0.kind == .userDefined || String(validating: $0.text, as: UTF8.self) == nil }),
            // Real pieces have some tens of bytes; the ways to cut one cost its length squared.
            !pieces.contains(where: { $0.text.count > 1000 }),
            Set(pieces.map(\.text)).count == pieces.count
        else { return nil }
        let blank = "\u{2581}"
        let replaced: JSONTree = .members([
            "type": .string("Replace"), "pattern": .members(["String": .string(" ")]), "content": .string(blank),
        ])
        let prepended: JSONTree = .members(["type": .string("Prepend"), "prepend": .string(blank)])
        let restored: JSONTree = .members([
            "type": .string("Replace"), "pattern": .members(["String": .string(blank)]), "content": .string(" "),
        ])
        let stripped: JSONTree = .members([
            "type": .string("Strip"), "content": .string(" "), "start": .integer(1), "stop": .integer(0),
        ])
        let decoders = [
            restored, .members(["type": .string("ByteFallback")]), .members(["type": .string("Fuse")]),
        ]
        let tree = JSONTree.members([
            "version": .string("1.0"), "truncation": .null, "padding": .null, "added_tokens": .array(addedTokens),
            "normalizer": .members([
                "type": .string("Sequence"), "normalizers": .array(addsBlank ? [prepended, replaced] : [replaced]),
            ]),
            "pre_tokenizer": .null, "post_processor": .null,
            "decoder": .members([
                "type": .string("Sequence"), "decoders": .array(addsBlank ? decoders + [stripped] : decoders),
            ]),
            "model": .members([
                "type": .string("BPE"), "dropout": .null, "unk_token": .string(unknown),
                "continuing_subword_prefix": .null, "end_of_word_suffix": .null, "fuse_unk": .boolean(true),
                "byte_fallback": .boolean(true),
                "vocab": .object(
                    pieces.enumerated().map { id, piece in
                        JSONTree.Member(key: String(decoding: piece.text, as: UTF8.self), value: .integer(id))
                    }),
                "merges": .array(merges.map(JSONTree.string)),
            ]),
        ])
        return Array(tree.text.utf8)
    }

    private var addedTokens: [JSONTree] {
        pieces.enumerated().filter { $0.element.kind == .unknown || $0.element.kind == .control }.map { id, piece in
            .members([
                "id": .integer(id), "content": .string(String(decoding: piece.text, as: UTF8.self)),
                "single_word": .boolean(false), "lstrip": .boolean(false), "rstrip": .boolean(false),
                "normalized": .boolean(false), "special": .boolean(true),
            ])
        }
    }

    private struct Merge: Comparable {
        let score: Float
        let left: ArraySlice<UInt8>
        let right: ArraySlice<UInt8>
        /// Position in the order of ids, which decides among equals.
        let number: Int

        /// Whether `a` is done before `b`.
        static func < (a: Merge, b: Merge) -> Bool {
            if a.score != b.score { return a.score > b.score }
            let (leftA, leftB) = (characters(a.left), characters(b.left))
            if leftA != leftB { return leftA > leftB }
            let (rightA, rightB) = (characters(a.right), characters(b.right))
            return rightA == rightB ? a.number < b.number : rightA > rightB
        }

        private static func characters(_ text: ArraySlice<UInt8>) -> Int { text.count { $0 & 0xC0 != 0x80 } }
    }

    /// Every way to make a piece from two others, the best piece first, as "left right".
    ///
    /// SentencePiece ranks a merge by its result's score, and equal ones from left to right. The format ranks pairs: where
    /// scores are equal, longer left parts first makes runs (LLaMA's pieces of several blanks) grow from the left too.
    private var merges: [String] {
        let normal = pieces.filter { $0.kind == .normal }
        let known = Set(normal.map { $0.text[...] })
        var found: [Merge] = []
        for piece in normal {
            // A part begins where a character does: not at a continuation byte of UTF-8.
            for cut in piece.text.indices.dropFirst().reversed() where piece.text[cut] & 0xC0 != 0x80 {
                let (left, right) = (piece.text[..<cut], piece.text[cut...])
                if known.contains(left), known.contains(right) {
                    found.append(Merge(score: piece.score, left: left, right: right, number: found.count))
                }
            }
        }
        return found.sorted().map { String(decoding: $0.left + [0x20] + $0.right, as: UTF8.self) }
    }
}
