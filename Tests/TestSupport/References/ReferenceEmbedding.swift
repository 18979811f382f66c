// ReferenceEmbedding - token lookup as a matmul with one-hot rows, and its transpose.

extension Reference {
    /// Rows of `table` (`[V, D]`) in the order of `tokens`.
    public static func embedding(tokens: [Int32], table: [Double], features D: Int) -> [Double] {
        tokens.flatMap { table[(Int($0) * D)..<((Int($0) + 1) * D)] }
    }

    /// `[V, D]`: each row the sum of the gradients of the tokens that read it.
    public static func embeddingGradient(
        tokens: [Int32], outputGradient: [Double], vocabulary V: Int, features D: Int
    ) -> [Double] {
        (0..<(V * D)).map { index in
            tokens.indices.reduce(0) { $0 + (Int(tokens[$1]) == index / D ? outputGradient[$1 * D + index % D] : 0) }
        }
    }
}
