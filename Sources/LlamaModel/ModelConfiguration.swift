// ModelConfiguration - the sizes of a LLaMA model (configuration key `model`, Hugging Face's names).

/// The architecture of one model. Swift spellings of the keys of Hugging Face's `LlamaConfig`.
public struct ModelConfiguration: Sendable, Equatable {
    public var hiddenSize: Int
    public var intermediateSize: Int
    public var hiddenLayerCount: Int
    public var attentionHeadCount: Int
    public var keyValueHeadCount: Int
    public var vocabularySize: Int
    public var maxPositionEmbeddings: Int
    public var rmsNormEpsilon: Double
    public var ropeTheta: Double
    public var initializerRange: Double
    public var tieWordEmbeddings: Bool

    public init(
        hiddenSize: Int, intermediateSize: Int, hiddenLayerCount: Int, attentionHeadCount: Int,
        keyValueHeadCount: Int, vocabularySize: Int, maxPositionEmbeddings: Int, rmsNormEpsilon: Double = 1e-5,
        ropeTheta: Double = 10000, initializerRange: Double = 0.01, tieWordEmbeddings: Bool = false
    ) {
        self.hiddenSize = hiddenSize
        self.intermediateSize = intermediateSize
        self.hiddenLayerCount = hiddenLayerCount
        self.attentionHeadCount = attentionHeadCount
        self.keyValueHeadCount = keyValueHeadCount
        self.vocabularySize = vocabularySize
        self.maxPositionEmbeddings = maxPositionEmbeddings
        self.rmsNormEpsilon = rmsNormEpsilon
        self.ropeTheta = ropeTheta
        self.initializerRange = initializerRange
        self.tieWordEmbeddings = tieWordEmbeddings
    }

    /// Largest size of any kind that configurations and checkpoints may state.
    ///
    /// Why: byte counts of whole models stay within Int. No model comes near it.
    public static let largestSize = 1 << 22
    /// Largest number of layers that configurations and checkpoints may state.
    public static let mostLayers = 1 << 13

    /// Features per attention head.
    public var headSize: Int { hiddenSize / attentionHeadCount }
}
