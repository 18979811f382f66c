// ModelConfiguration - the architecture of a LLaMA model, and the one list of its keys.

/// The architecture of one model: the keys of Hugging Face's `LlamaConfig`, in Swift spelling.
///
/// A new key is a property, a parameter of the initialiser with its default, and a line of ``keys``.
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

    /// Features per attention head.
    public var headSize: Int { hiddenSize / attentionHeadCount }
}

extension ModelConfiguration {
    /// Largest size that any file may state.
    ///
    /// Why: far beyond any model, and small enough that byte counts of whole models stay within Int.
    public static let largestSize = 1 << 22
    /// Most layers that any file may state.
    public static let mostLayers = 1 << 13
    /// Largest width and most heads that a run's configuration may state.
    private static let largestWidth = 1 << 20

    /// Every key of a model, in the order of a run's configuration.
    ///
    /// The configuration's schema and reference, the checkpoint's model record, import, export, and the comparison of a
    /// run with a checkpoint follow from this list. A line names the key, its property, the allowed sizes, and its
    /// help.
    ///
    /// - `huggingFace`: the value of a `config.json` without the key. A key that has none there must be stated.
    /// - `earlier`: the value of a checkpoint from before the key existed. Each key that is added needs one.
    /// - `required`: a run's configuration must state the key. Other keys have the initialiser's default there.
    public static let keys: [ModelKey] = [
        .size("hidden_size", \.hiddenSize, 1...largestWidth, "Features of a token's representation.").required,
        .size("intermediate_size", \.intermediateSize, 1...largestSize, "Features inside the feed-forward layer.")
            .required,
        .size("num_hidden_layers", \.hiddenLayerCount, 1...mostLayers, "Transformer layers.").required,
        .size(
            "num_attention_heads", \.attentionHeadCount, 1...largestWidth,
            "Query heads; divides hidden_size into even head sizes."
        ).required,
        .size(
            "num_key_value_heads", \.keyValueHeadCount, 1...largestWidth, huggingFace: 0,
            "Key and value heads; divides num_attention_heads."
        ).defaults(to: "num_attention_heads"),
        .size(
            "vocab_size", \.vocabularySize, 1...largestSize,
            "Rows of the embedding; at least the tokenizer's size (bytes: 257, LLaMA's: 32000)."
        ).required,
        .size(
            "max_position_embeddings", \.maxPositionEmbeddings, 1...largestSize, huggingFace: 2048,
            "Positions the model is made for; at least data.sequence_length."
        ).required.withoutEffectOnOutput,
        .number(
            "rms_norm_eps", \.rmsNormEpsilon, huggingFace: 1e-6, "Added to the mean square in RMSNorm."),
        .number("rope_theta", \.ropeTheta, huggingFace: 10000, "Base of the rotary frequencies."),
        .number(
            "initializer_range", \.initializerRange, huggingFace: 0.02, "Standard deviation of the initial weights."
        ).withoutEffectOnOutput,
        .flag(
            "tie_word_embeddings", \.tieWordEmbeddings, huggingFace: false,
            "Whether the head is the embedding itself."),
    ]

    /// The start of every reader: sizes 0, everything else at the initialiser's defaults.
    public static let unset = ModelConfiguration(
        hiddenSize: 0, intermediateSize: 0, hiddenLayerCount: 0, attentionHeadCount: 0, keyValueHeadCount: 0,
        vocabularySize: 0, maxPositionEmbeddings: 0)

    /// Replaces values that stand for the value of another key: no key/value heads mean one per query head.
    ///
    /// It must not trap on any values. Why: readers of files call it before they check sizes.
    public mutating func resolveDefaults() {
        if keyValueHeadCount == 0 { keyValueHeadCount = attentionHeadCount }
    }
}
