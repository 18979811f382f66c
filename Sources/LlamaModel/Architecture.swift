// Architecture - which of Hugging Face's architectures a model is, and what follows from it.

internal import Kernels

extension ModelConfiguration {
    /// One of Hugging Face's architectures, by its `model_type`.
    public enum Architecture: String, CaseIterable, Sendable {
        case llama, mistral, qwen2, qwen3, smollm3

        /// Whether the key `attention_bias` is one of the architecture.
        public var hasAttentionBiasKey: Bool { [.llama, .qwen3, .smollm3].contains(self) }
        /// Whether the key `mlp_bias` is one of the architecture.
        public var hasMLPBiasKey: Bool { [.llama, .smollm3].contains(self) }
        /// Whether the key `sliding_window` is one of the architecture. qwen2 and qwen3 switch theirs off.
        public var hasSlidingWindow: Bool { self == .mistral }
        /// Whether the key `no_rope_layer_interval` is one of the architecture.
        public var hasUnrotatedLayers: Bool { self == .smollm3 }
    }

    /// How the frequencies of rotary embeddings are scaled.
    public enum RotaryScaling: String, CaseIterable, Sendable {
        case none, linear, llama3
    }

    /// The projections of attention that have a bias.
    public enum AttentionBiases: Sendable {
        case none
        /// q, k and v.
        case queryKeyValue
        /// q, k, v and output.
        case all
    }

    /// The projections of attention that have a bias.
    public var attentionBiases: AttentionBiases {
        if architecture == .qwen2 { return .queryKeyValue }
        return attentionBias ? .all : .none
    }

    /// Whether each head's queries and keys pass an RMSNorm before they are rotated.
    public var hasHeadNorms: Bool { architecture == .qwen3 }

    /// Whether rotary embeddings turn the queries and keys of layer `layer`.
    public func isRotated(layer: Int) -> Bool {
        unrotatedLayerInterval == 0 || !(layer + 1).isMultiple(of: unrotatedLayerInterval)
    }

    /// Tokens of the longest sequence that the model computes as Hugging Face does.
    public var longestSequence: Int {
        slidingWindow > 0 ? min(slidingWindow, maxPositionEmbeddings) : maxPositionEmbeddings
    }

    /// The key that bounds ``longestSequence``.
    public var longestSequenceKey: String {
        longestSequence < maxPositionEmbeddings ? "sliding_window" : "max_position_embeddings"
    }

    /// The scaling of rotary frequencies, as the kernel takes it.
    var rotaryScaling: Rotary.Scaling {
        switch ropeScaling {
        case .none: .none
        case .linear: .linear(factor: ropeFactor)
        case .llama3:
            .llama3(
                factor: ropeFactor, lowFrequencyFactor: ropeLowFrequencyFactor,
                highFrequencyFactor: ropeHighFrequencyFactor, originalPositions: ropeOriginalPositions)
        }
    }
}
