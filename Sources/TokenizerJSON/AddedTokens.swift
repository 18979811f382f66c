// AddedTokens - tokens that are found in a text before anything is cut.

/// A token of `added_tokens`.
struct AddedToken: Sendable, Equatable {
    var id: Int32
    var content: [UInt8]
    var isSingleWord = false
    var stripsLeft = false
    var stripsRight = false
    var isNormalized = true
    var isSpecial = false
}

/// All added tokens, and where they are in texts.
struct AddedTokens: Sendable {
    let tokens: [AddedToken]
    /// Texts of tokens whose normalized form differs, by id.
    private let normalizedTexts: [Int32: [UInt8]]
    private let indices: [Int32: Int]
    private let specialTexts: Set<[UInt8]>
    /// Tokens that are looked for in the text as it is, and in the normalized text.
    private let raw: ByteTrie
    private let normalized: ByteTrie

    /// Longest added token in bytes.
    static let longestToken = 4096

    /// - Parameter normalizer: what changes the texts of normalized tokens.
    /// - Throws: ``TokenizerFileError`` for two tokens that are equal when normalized.
    init(_ tokens: [AddedToken], normalizer: Normalizer?) throws(TokenizerFileError) {
        self.tokens = tokens
        var (raw, normalized) = (ByteTrie(), ByteTrie())
        var texts: [Int32: [UInt8]] = [:]
        for (index, token) in tokens.enumerated() {
            guard token.isNormalized else {
                _ = raw.add(token.content, number: Int32(index))
                continue
            }
            var text = Normalizer.Text(bytes: token.content, isStart: true)
            try normalizer?.normalize(&text)
            if text.bytes != token.content { texts[token.id] = text.bytes }
            guard normalized.add(text.bytes, number: Int32(index)) else {
                throw TokenizerFileError(
                    "the added token '\(String(decoding: token.content, as: UTF8.self))' is empty when it is "
                        + "normalized, or equals another one")
            }
        }
        (self.raw, self.normalized, normalizedTexts) = (raw, normalized, texts)
        indices = Dictionary(uniqueKeysWithValues: tokens.enumerated().map { ($0.element.id, $0.offset) })
        specialTexts = Set(tokens.filter(\.isSpecial).map(\.content))
    }

    var hasRaw: Bool { !raw.isEmpty }
    var hasNormalized: Bool { !normalized.isEmpty }

    /// The text of an id, as decoders get it; nil for an id that is no added token.
    func text(of id: Int32) -> [UInt8]? {
        indices[id].map { normalizedTexts[id] ?? tokens[$0].content }
    }

    func isSpecial(_ text: [UInt8]) -> Bool { specialTexts.contains(text) }

    /// Cuts pieces at the tokens that are looked for in the text as it is.
    func cutRaw(_ list: inout PieceList) throws(TokenizerFileError) {
        try list.split { text, piece, target in cut(text, piece, raw, to: &target) }
    }

    /// Cuts pieces at the tokens that are looked for in the normalized text.
    func cutNormalized(_ list: inout PieceList) throws(TokenizerFileError) {
        try list.split { text, piece, target in cut(text, piece, normalized, to: &target) }
    }

    private func cut(_ text: [UInt8], _ piece: Piece, _ trie: ByteTrie, to target: inout [Piece]) {
        let range = piece.range
        /// End of what is in `target`.
        var done = range.lowerBound
        var index = range.lowerBound
        func add(_ range: Range<Int>, _ token: Int32) {
            target.append(
                Piece(
                    range: range, token: token,
                    isStart: piece.isStart && range.lowerBound == piece.range.lowerBound))
        }
        while index < range.upperBound {
            guard trie.mayStart(with: text[index]) else {
                index += 1
                continue
            }
            var found: (number: Int32, end: Int)?
            trie.forEachPrefix(of: text, from: index, to: range.upperBound) { found = ($0, $1) }
            guard let found else {
                index += 1
                continue
            }
            let token = tokens[Int(found.number)]
            var (start, end) = (index, found.end)
            index = found.end
            if token.isSingleWord, isInWord(text, range, start, end) { continue }
            if token.stripsLeft {
                start = max(ScalarReader.blankStart(text, before: start, from: done), done)
            }
            // Blanks that the token before took are not counted again, which would take quadratic time.
            if token.stripsRight { end = ScalarReader.blankEnd(text, from: max(end, done), to: range.upperBound) }
            // Nothing is left where the token before took all blanks. The library drops empty pieces.
            guard start < end else { continue }
            if done < start { add(done..<start, -1) }
            add(start..<end, token.id)
            done = end
        }
        if done < range.upperBound { add(done..<range.upperBound, -1) }
    }

    /// Whether a character of a word is next to `start..<end`.
    private func isInWord(_ text: [UInt8], _ range: Range<Int>, _ start: Int, _ end: Int) -> Bool {
        if start > range.lowerBound {
            let before = ScalarReader.start(before: start, in: text)
            if CharacterProperty.isWord(ScalarReader.scalar(in: text, at: before).value) { return true }
        }
        return end < range.upperBound && CharacterProperty.isWord(ScalarReader.scalar(in: text, at: end).value)
    }
}
