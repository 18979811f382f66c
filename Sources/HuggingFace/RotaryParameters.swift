// RotaryParameters - `rope_scaling` (transformers 4) and `rope_parameters` (transformers 5) of a config.json.

internal import JSONReading
internal import LlamaModel

/// The scaling of rotary frequencies that an object of a `config.json` states.
struct RotaryParameters: Equatable {
    var scaling = ModelConfiguration.RotaryScaling.none
    var factor = 1.0
    /// The numbers of llama3.
    var (lowFrequencyFactor, highFrequencyFactor, originalPositions) = (1.0, 4.0, 8192)

    /// The objects that are read, in words.
    static let allowed = "null, or rope_type default, linear or llama3 with its factors"

    /// Reads an object; nil for a scaling that is not supported, or a value that is none.
    ///
    /// - Parameters:
    ///   - value: `rope_scaling` or `rope_parameters`.
    ///   - allowsBase: whether the object may have a base, `rope_theta`, which is not read here.
    init?(_ value: JSONTree, allowsBase: Bool) {
        if value == .null { return }
        guard case .object(let members) = value else { return nil }
        let names = members.filter { $0.key == "rope_type" || $0.key == "type" }.map(\.value).filter { $0 != .null }
        let kind = names.first ?? .string("default")
        let isKnown = members.allSatisfy { member in
            switch member.key {
            case "rope_theta": allowsBase || member.value == .null
            case "rope_type", "type", "factor", "low_freq_factor", "high_freq_factor",
                "original_max_position_embeddings":
                true
            case "partial_rotary_factor", "attention_factor": member.value == .null || member.value.double == 1
            default: member.value == .null
            }
        }
        guard names.allSatisfy({ $0 == kind }), isKnown else { return nil }
        let factor = value["factor"]?.double
        switch kind.string {
        case "default":
            guard value["factor"] ?? .null == .null || factor == 1 else { return nil }
        // At factor 1, what linear and llama3 divide by is 1.
        case "linear", "llama3":
            guard let factor, factor > 0, factor.isFinite else { return nil }
            if factor == 1 { return }
            self.factor = factor
            scaling = .linear
            guard kind.string == "llama3" else { return }
            guard let low = value["low_freq_factor"]?.double, let high = value["high_freq_factor"]?.double,
                let positions = value["original_max_position_embeddings"]?.integer,
                0 < low, low < high, high.isFinite, (1...ModelConfiguration.largestSize).contains(positions)
            else { return nil }
            scaling = .llama3
            (lowFrequencyFactor, highFrequencyFactor, originalPositions) = (low, high, positions)
        default: return nil
        }
    }

    /// The parameters of a model.
    init(_ model: ModelConfiguration) {
        scaling = model.ropeScaling
        factor = model.ropeFactor
        lowFrequencyFactor = model.ropeLowFrequencyFactor
        highFrequencyFactor = model.ropeHighFrequencyFactor
        originalPositions = model.ropeOriginalPositions
    }

    /// Sets the parameters in a model.
    func set(in model: inout ModelConfiguration) {
        model.ropeScaling = scaling
        model.ropeFactor = factor
        model.ropeLowFrequencyFactor = lowFrequencyFactor
        model.ropeHighFrequencyFactor = highFrequencyFactor
        model.ropeOriginalPositions = originalPositions
    }

    /// The members of the object to write, but the base.
    var members: [JSONTree.Member] {
        var members: [JSONTree.Member] = []
        func add(_ key: String, _ value: JSONTree) { members.append(JSONTree.Member(key: key, value: value)) }
        if scaling != .none { add("factor", .double(factor)) }
        if scaling == .llama3 {
            add("high_freq_factor", .double(highFrequencyFactor))
            add("low_freq_factor", .double(lowFrequencyFactor))
            add("original_max_position_embeddings", .integer(originalPositions))
        }
        add("rope_type", .string(scaling == .none ? "default" : scaling.rawValue))
        return members
    }
}
