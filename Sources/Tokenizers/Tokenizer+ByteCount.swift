// Tokenizer+ByteCount - bytes of text behind token ids, the divisor of a loss per byte.

extension Tokenizer {
    /// The number of bytes that `tokens` decode to. Each document is decoded alone, the first one together with
    /// `previous`.
    ///
    /// Why: pieces are never decoded alone, because SentencePiece leaves out the blank before the first word of a text.
    ///
    /// The count may be off by some bytes where the run's first or last token is part of a character.
    public func byteCount(of tokens: [Int32], after previous: Int32) -> Int {
        let documents = tokens.split(separator: endToken, omittingEmptySubsequences: false)
        guard previous != endToken, let first = documents.first else {
            return documents.reduce(0) { $0 + decode(Array($1)).count }
        }
        let continued = max(decode([previous] + first).count - decode([previous]).count, 0)
        return documents.dropFirst().reduce(continued) { $0 + decode(Array($1)).count }
    }
}
