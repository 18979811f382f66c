// ModelFlops - the arithmetic that a training step cannot do without.

internal import Tensors

extension ModelConfiguration {
    /// Floating-point operations of one token's forward and backward passes: every matmul with a weight three times (the
    /// embedding's lookup is none), and causal attention over half of the `sequenceLength` squared scores; no recomputation.
    public func flopsPerToken(sequenceLength T: Int) -> Double {
        let lookup = tieWordEmbeddings ? 0 : vocabularySize * hiddenSize
        return 6 * Double(tensorTable.count - lookup) + 6 * Double(hiddenLayerCount * hiddenSize * (T + 1))
    }
}
