// SentencePieceModel+TokenizerJSON - a SentencePiece BPE model as Hugging Face's tokenizer.json, with the same ids.

internal import JSONReading
internal import SentencePieceText

extension SentencePieceModel {
    /// The `tokenizer.json` that gives this model's ids; nil for a model that the format cannot follow exactly.
    ///
    /// LLaMA's kind of model is supported: pairs are merged by score, and no character is replaced.
    ///
    /// Why not transformers' own conversion: it needs two more packages, and version 5 treats runs of blanks
    /// differently from SentencePiece.
    ///
    /// Why no other kinds of models:
    /// - The format's `Unigram` adds scores as doubles, SentencePiece as floats: nearly equal cuts differ.
    /// - The format's `Precompiled` takes the shortest rule for a grapheme, SentencePiece the longest anywhere. It
    ///   drops the accent of a ligature.
    /// - The format cuts out user-defined symbols before it adds a blank.
    var tokenizerJSON: [UInt8]? {
        let byteCount = pieces.count { $0.kind == .byte }
        guard mergesPairs, !replacesText, escapesBlanks, !(addsBlank && addsBlankBehind),
            let unknown = text(special.unknown), byteCount == 0 || byteCount == 256,
            !pieces.contains(where: { $0.kind == .userDefined || $0.kind == .unused }),
            // Real pieces have some tens of bytes; the ways to cut one cost its length squared.
            pieces.allSatisfy({
                (1...1000).contains($0.text.count) && String(validating: $0.text, as: UTF8.self) != nil
            }),
            // A blank separates the two parts of a merge.
            !pieces.contains(where: { $0.kind == .normal && $0.text.contains(0x20) }),
            Set(pieces.map(\.text)).count == pieces.count, knowsCharactersOfPieces, ranksMergesByPairs
        else { return nil }
        let tree = JSONTree.members([
            "version": .string("1.0"), "truncation": .null, "padding": .null, "added_tokens": .array(addedTokens),
            "normalizer": .members(["type": .string("Sequence"), "normalizers": .array(normalizers)]),
            "pre_tokenizer": .null, "post_processor": .null,
            "decoder": .members([
                "type": .string("Sequence"), "decoders": .array(decoders(hasBytes: byteCount > 0)),
            ]),
            "model": .members([
                "type": .string("BPE"), "dropout": .null, "unk_token": .string(unknown),
                "continuing_subword_prefix": .null, "end_of_word_suffix": .null, "fuse_unk": .boolean(true),
                "byte_fallback": .boolean(byteCount > 0),
                "vocab": .object(
                    pieces.enumerated().map { id, piece in
                        JSONTree.Member(key: String(decoding: piece.text, as: UTF8.self), value: .integer(id))
                    }),
                "merges": .array(merges.map(JSONTree.string)),
            ]),
        ])
        return Array(tree.text.utf8)
    }

    private static let mark = "\u{2581}"

    /// The changes that the model makes to a text, in order.
    private var normalizers: [JSONTree] {
        func replace(_ kind: String, _ pattern: String, by content: String) -> JSONTree {
            .members([
                "type": .string("Replace"), "pattern": .members([kind: .string(pattern)]), "content": .string(content),
            ])
        }
        // Only U+0020 counts as a blank; \A and \z, because ^ and $ stand for the ends of lines here.
        let leading = [replace("Regex", "\\A +", by: ""), replace("Regex", " {2,}", by: " ")]
        let added: JSONTree = .members(["type": .string("Prepend"), "prepend": .string(Self.mark)])
        // At the end, U+2581 of the text itself is removed too. So is the added blank if nothing else is left.
        let trailing = replace("Regex", Self.mark + "+\\z", by: "")
        return (removesBlanks ? leading : []) + (addsBlank ? [added] : [])
            + [replace("String", " ", by: Self.mark)] + (removesBlanks ? [trailing] : [])
    }

    private func decoders(hasBytes: Bool) -> [JSONTree] {
        let restored: JSONTree = .members([
            "type": .string("Replace"), "pattern": .members(["String": .string(Self.mark)]), "content": .string(" "),
        ])
        let stripped: JSONTree = .members([
            "type": .string("Strip"), "content": .string(" "), "start": .integer(1), "stop": .integer(0),
        ])
        return [restored] + (hasBytes ? [.members(["type": .string("ByteFallback")])] : [])
            + [.members(["type": .string("Fuse")])] + (addsBlank ? [stripped] : [])
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

    // MARK: - Merges

    /// Pieces of texts, without bytes and unknown characters.
    private var joinable: [Piece] {
        pieces.enumerated().filter { $0.element.kind == .normal && $0.offset != unknownId }.map(\.element)
    }

    /// Whether each character of each piece is a piece.
    ///
    /// Why: SentencePiece joins characters that are no pieces into pieces; the format makes bytes of them first.
    private var knowsCharactersOfPieces: Bool {
        let known = Set(joinable.map(\.text))
        return joinable.allSatisfy { piece in
            String(decoding: piece.text, as: UTF8.self).unicodeScalars.allSatisfy {
                known.contains(Array(String($0).utf8))
            }
        }
    }

    /// Whether ranks of pairs can stand for scores of pieces.
    ///
    /// SentencePiece takes the best piece and, among equal ones, the leftmost. The format takes the best pair. So
    /// scores must differ. Runs of one character in all lengths are the exception, such as LLaMA's runs of blanks. All
    /// other merges must come before them and make no such run. Then pairs with longer left parts first give the
    /// leftmost run.
    ///
    /// Pairs that make the same piece need no order: no cut of a text lets two of them overlap.
    private var ranksMergesByPairs: Bool {
        let merged = joinable.map {
            (scalars: Array(String(decoding: $0.text, as: UTF8.self).unicodeScalars), score: $0.score)
        }
        .filter { $0.scalars.count > 1 }
        guard merged.allSatisfy({ $0.score.isFinite }) else { return false }
        let repeated = Dictionary(grouping: merged, by: \.score).filter { $0.value.count > 1 }
        guard let (score, runs) = repeated.first else { return true }
        guard repeated.count == 1, let first = runs.first?.scalars.first, merged.allSatisfy({ $0.score >= score }),
            runs.allSatisfy({ run in run.scalars.allSatisfy { $0 == first } }),
            runs.map(\.scalars.count).sorted() == Array(2...(runs.count + 1))
        else { return false }
        return merged.allSatisfy { piece in
            piece.score == score
                || !zip(piece.scalars, piece.scalars.dropFirst()).contains { $0 == first && $1 == first }
        }
    }

    private struct Merge: Comparable {
        let score: Float
        let left: ArraySlice<UInt8>
        let right: ArraySlice<UInt8>
        /// Number in the order of ids, which decides among equals.
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
    /// SentencePiece ranks a merge by its result's score, and equal ones from left to right. The format ranks pairs.
    /// Where scores are equal, longer left parts come first: runs (LLaMA's pieces of several blanks) then grow from the
    /// left in both.
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
