// ModelConfiguration - the architecture and the sizes of a model, and the one list of its keys.

/// One model: the keys of Hugging Face's configuration of its architecture, in Swift spelling.
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
    public var architecture: Architecture
    /// Features per attention head; even.
    public var headSize: Int
    /// Whether the projections of attention have biases; an architecture may decide it, see ``attentionBiases``.
    public var attentionBias: Bool
    /// Whether the projections of the MLP have biases.
    public var mlpBias: Bool
    public var ropeScaling: RotaryScaling
    /// The number that frequencies are divided by, all of them or the low ones.
    public var ropeFactor: Double
    /// Frequencies with fewer turns in ``ropeOriginalPositions`` are divided by the factor (llama3).
    public var ropeLowFrequencyFactor: Double
    /// Frequencies with more turns in ``ropeOriginalPositions`` stay as they are (llama3).
    public var ropeHighFrequencyFactor: Double
    /// Positions that the model was made for before its frequencies were scaled (llama3).
    public var ropeOriginalPositions: Int
    /// Positions that a token attends to, itself included; 0: all. Sequences may not be longer.
    public var slidingWindow: Int
    /// Every layer whose number, from 1, is a multiple leaves queries and keys unrotated; 0: none does.
    public var unrotatedLayerInterval: Int

    /// - Parameter headSize: features per attention head; nil: `hiddenSize / attentionHeadCount`.
    public init(
        hiddenSize: Int, intermediateSize: Int, hiddenLayerCount: Int, attentionHeadCount: Int,
        keyValueHeadCount: Int, vocabularySize: Int, maxPositionEmbeddings: Int, rmsNormEpsilon: Double = 1e-5,
        ropeTheta: Double = 10000, initializerRange: Double = 0.01, tieWordEmbeddings: Bool = false,
        architecture: Architecture = .llama, headSize: Int? = nil, attentionBias: Bool = false, mlpBias: Bool = false,
        ropeScaling: RotaryScaling = .none, ropeFactor: Double = 1, ropeLowFrequencyFactor: Double = 1,
        ropeHighFrequencyFactor: Double = 4, ropeOriginalPositions: Int = 8192, slidingWindow: Int = 0,
        unrotatedLayerInterval: Int = 0
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
        self.architecture = architecture
        self.headSize = headSize ?? 0
        self.attentionBias = attentionBias
        self.mlpBias = mlpBias
        self.ropeScaling = ropeScaling
        self.ropeFactor = ropeFactor
        self.ropeLowFrequencyFactor = ropeLowFrequencyFactor
        self.ropeHighFrequencyFactor = ropeHighFrequencyFactor
        self.ropeOriginalPositions = ropeOriginalPositions
        self.slidingWindow = slidingWindow
        self.unrotatedLayerInterval = unrotatedLayerInterval
        if headSize == nil { resolveHeadSize() }
    }
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
            "Query heads; divides hidden_size into even head sizes, unless head_dim is set."
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
        .word(
            "architecture", \.architecture, earlier: .llama,
            "Which of Hugging Face's architectures the model is, by its model_type. qwen2 has biases at q, k and v; qwen3 "
                + "normalizes each head's queries and keys; smollm3 can leave layers without rotary embeddings."),
        .size(
            "head_dim", \.headSize, 1...largestWidth, huggingFace: 0, earlier: 0, "Features of an attention head; even."
        ).defaults(to: "hidden_size / num_attention_heads"),
        .flag(
            "attention_bias", \.attentionBias, huggingFace: false, earlier: false,
            "Whether q, k, v and output projections have biases (llama, qwen3, smollm3)."),
        .flag(
            "mlp_bias", \.mlpBias, huggingFace: false, earlier: false,
            "Whether gate, up and down projections have biases (llama, smollm3)."),
        .word(
            "rope_scaling", \.ropeScaling, earlier: RotaryScaling.none,
            "How rotary frequencies are scaled for longer texts; linear: all are divided by rope_factor; llama3: the low "
                + "ones are."),
        .number(
            "rope_factor", \.ropeFactor, huggingFace: 1, earlier: 1,
            "What scaled rotary frequencies are divided by (linear, llama3)."),
        .number(
            "rope_low_freq_factor", \.ropeLowFrequencyFactor, huggingFace: 1, earlier: 1,
            "Frequencies with fewer turns in rope_original_max_position_embeddings positions are divided (llama3)."),
        .number(
            "rope_high_freq_factor", \.ropeHighFrequencyFactor, huggingFace: 4, earlier: 4,
            "Frequencies with more turns stay as they are; above rope_low_freq_factor (llama3)."),
        .size(
            "rope_original_max_position_embeddings", \.ropeOriginalPositions, 1...largestSize, huggingFace: 8192,
            earlier: 8192, "Positions of the model before its frequencies were scaled (llama3)."),
        .size(
            "sliding_window", \.slidingWindow, 0...largestSize, huggingFace: 0, earlier: 0,
            "Positions that a token attends to; at least data.sequence_length, because longer sequences are not supported; 0: "
                + "all (mistral)."),
        .size(
            "no_rope_layer_interval", \.unrotatedLayerInterval, 0...mostLayers, huggingFace: 0, earlier: 0,
            "Every how manieth layer has no rotary embeddings; 0: all layers have them (smollm3)."),
    ]

    /// The start of every reader: sizes 0, everything else at the initialiser's defaults.
    public static let unset = ModelConfiguration(
        hiddenSize: 0, intermediateSize: 0, hiddenLayerCount: 0, attentionHeadCount: 0, keyValueHeadCount: 0,
        vocabularySize: 0, maxPositionEmbeddings: 0)

    /// Replaces values that stand for the value of another key.
    ///
    /// No key/value heads mean one per query head. No head size means that the heads share the hidden features.
    ///
    /// It must not trap on any values. Why: readers of files call it before they check sizes.
    public mutating func resolveDefaults() {
        if keyValueHeadCount == 0 { keyValueHeadCount = attentionHeadCount }
        resolveHeadSize()
    }

    /// Whether a head has its share of the hidden features, rounded down, and no size of its own.
    ///
    /// Traps without heads.
    public var headsShareHidden: Bool { headSize == hiddenSize / attentionHeadCount }

    /// Sets a head size of 0 to the heads' share of the hidden features.
    mutating func resolveHeadSize() {
        if headSize == 0, attentionHeadCount > 0 { headSize = hiddenSize / attentionHeadCount }
    }
}
