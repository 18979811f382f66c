// ByteCount - how much text tokens stand for: what a loss per byte is divided by.

extension Tokenizer {
    /// Counts by decoding: each document of the run by itself, the first as the continuation of `previous`.
    ///
    /// Tokenizers may write the first piece of a text otherwise than the same piece further on (SentencePiece leaves out the
    /// blank before the first word), so pieces are never decoded alone. Only a character that is spelled in several tokens and
    /// cut by the run's border may count for another number of bytes than it has.
    public func byteCount(of tokens: [Int32], after previous: Int32) -> Int {
        let documents = tokens.split(separator: endToken, omittingEmptySubsequences: false)
        guard previous != endToken, let first = documents.first else {
            return documents.reduce(0) { $0 + decode(Array($1)).count }
        }
        let continued = max(decode([previous] + first).count - decode([previous]).count, 0)
        return documents.dropFirst().reduce(continued) { $0 + decode(Array($1)).count }
    }
}
