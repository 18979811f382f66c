// ModelContradiction - keys of a model that contradict one another.

/// Two keys of a model that contradict one another.
public struct ModelContradiction: Sendable, Equatable {
    /// The key to change.
    public let key: String
    /// Its value, and what is wrong with it.
    public let found: String
    public let allowed: String
}

extension ModelConfiguration {
    /// The contradictions between the keys of architecture, heads, biases and rotary embeddings.
    ///
    /// A run's configuration, a `config.json` and a checkpoint all go through it. Sizes are at least 1.
    public var contradictions: [ModelContradiction] {
        var found: [ModelContradiction] = []
        func report(_ key: String, _ value: String, _ allowed: String) {
            found.append(ModelContradiction(key: key, found: value, allowed: allowed))
        }
        let name = architecture.rawValue
        func models(_ has: (Architecture) -> Bool) -> String {
            Architecture.allCases.filter(has).map(\.rawValue).joined(separator: ", ")
        }
        // A head size that follows from other keys has a message of its own.
        if !headSize.isMultiple(of: 2), !headsShareHidden {
            report("head_dim", "\(headSize); rotary embeddings turn pairs of features", "an even number")
        }
        let width = attentionHeadCount.multipliedReportingOverflow(by: headSize)
        if width.overflow || width.partialValue > Self.largestSize {
            report(
                "head_dim", "\(headSize), which makes \(attentionHeadCount) heads too wide",
                "num_attention_heads * head_dim of at most \(Self.largestSize)")
        }
        if attentionBias, !architecture.hasAttentionBiasKey {
            report(
                "attention_bias", "true with architecture \(name), which has no such key",
                "false, or one of \(models(\.hasAttentionBiasKey))")
        }
        if mlpBias, !architecture.hasMLPBiasKey {
            report(
                "mlp_bias", "true with architecture \(name), which has no such key",
                "false, or one of \(models(\.hasMLPBiasKey))")
        }
        if slidingWindow > 0, !architecture.hasSlidingWindow {
            report(
                "sliding_window", "\(slidingWindow) with architecture \(name), which has none",
                "0, or \(models(\.hasSlidingWindow))")
        }
        if unrotatedLayerInterval > 0, !architecture.hasUnrotatedLayers {
            report(
                "no_rope_layer_interval",
                "\(unrotatedLayerInterval) with architecture \(name), which rotates every layer",
                "0, or \(models(\.hasUnrotatedLayers))")
        }
        if ropeScaling == .none, ropeFactor != 1 {
            report("rope_factor", "\(ropeFactor) with rope_scaling none", "1, or rope_scaling linear or llama3")
        }
        if ropeScaling == .llama3, !(ropeLowFrequencyFactor < ropeHighFrequencyFactor) {
            report(
                "rope_high_freq_factor",
                "\(ropeHighFrequencyFactor), not above rope_low_freq_factor \(ropeLowFrequencyFactor)",
                "a number above \(ropeLowFrequencyFactor)")
        }
        return found
    }
}
