// ModelFlops - model FLOPs per token, from which MFU follows.

internal import Tensors

extension ModelConfiguration {
    /// Floating-point operations of one token's forward and backward passes.
    ///
    /// They count every matmul with a weight three times, and causal attention over half of the T x T scores. The
    /// lookup in the embedding is no matmul; recomputation does not count.
    ///
    /// - Parameter T: tokens per sequence.
    public func flopsPerToken(sequenceLength T: Int) -> Double {
        let lookup = tieWordEmbeddings ? 0 : vocabularySize * hiddenSize
        let width = attentionHeadCount * headSize
        return 6 * Double(tensorTable.count - lookup) + 6 * Double(hiddenLayerCount * width * (T + 1))
    }
}
