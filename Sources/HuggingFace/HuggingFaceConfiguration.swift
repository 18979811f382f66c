// HuggingFaceConfiguration - config.json of a LLaMA: read strictly, because what is ignored would be computed wrongly.

internal import LlamaModel

/// The content of a `config.json`.
///
/// A key is either read, or fixed to the values at which it changes nothing, or known not to matter to what a
/// pretraining run computes. Any other is an error: a setting that is passed over silently gives a model that looks right
/// and is another.
struct HuggingFaceConfiguration: Equatable {
    /// Largest `config.json` that is read; real ones have a few thousand bytes.
    static let largestByteCount = 1 << 20

    let model: ModelConfiguration

    /// What Hugging Face's LlamaConfig takes where a key is absent.
    private enum Default {
        static let maxPositionEmbeddings = 2048
        static let rmsNormEpsilon = 1e-6
        static let ropeTheta = 10000.0
        static let initializerRange = 0.02
    }

    /// Keys that are unusual and change nothing, each with its value.
    let passedOver: [String]

    init(model: ModelConfiguration) { (self.model, passedOver) = (model, []) }

    /// Reads a `config.json`.
    ///
    /// - Throws: ``HuggingFaceError``: `unsupported`, `unknownKey`, `badConfiguration`, or what is wrong with the JSON.
    init(_ bytes: [UInt8], file: String) throws(HuggingFaceError) {
        try self.init(JSONTree(bytes, file: file), file: file)
    }

    init(_ tree: JSONTree, file: String) throws(HuggingFaceError) {
        guard case .object = tree else {
            throw HuggingFaceError(.wrongType, file: file, "the file must hold a JSON object")
        }
        guard tree["model_type"] != nil else {
            throw HuggingFaceError(.unsupported, file: file, "it has no model_type; only models of type llama are read")
        }
        let keys = ConfigurationKeys(tree, read: Fields.keys)
        try keys.requireSupported(file: file)
        passedOver = keys.passedOver
        let fields = Fields(tree: tree, file: file)
        model = try fields.model(
            maxPositionEmbeddings: Default.maxPositionEmbeddings, rmsNormEpsilon: Default.rmsNormEpsilon,
            ropeTheta: Default.ropeTheta, initializerRange: Default.initializerRange)
    }
}

/// The keys that are read, with their checks.
private struct Fields {
    static let keys: Set<String> = [
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
        "vocab_size", "max_position_embeddings", "rms_norm_eps", "rope_theta", "rope_parameters", "initializer_range",
        "tie_word_embeddings", "head_dim",
    ]

    /// Largest sizes that are accepted: those that a checkpoint may have.
    private static let largestSize = 1 << 22
    private static let mostLayers = 1 << 13

    let tree: JSONTree
    let file: String

    func model(
        maxPositionEmbeddings: Int, rmsNormEpsilon: Double, ropeTheta: Double, initializerRange: Double
    ) throws(HuggingFaceError) -> ModelConfiguration {
        let hidden = try requiredSize("hidden_size")
        let heads = try requiredSize("num_attention_heads")
        let keyValueHeads = try size("num_key_value_heads") ?? heads
        let layers = try requiredSize("num_hidden_layers")
        guard layers <= Self.mostLayers else {
            throw bad("num_hidden_layers is \(layers); allowed: 1 to \(Self.mostLayers)")
        }
        guard hidden % heads == 0, hidden / heads % 2 == 0 else {
            throw bad(
                "num_attention_heads is \(heads) and hidden_size \(hidden); the heads must divide it into even sizes")
        }
        guard heads % keyValueHeads == 0 else {
            throw bad("num_key_value_heads is \(keyValueHeads); it must divide num_attention_heads \(heads)")
        }
        if let headSize = try size("head_dim"), headSize != hidden / heads {
            throw HuggingFaceError(
                .unsupported, file: file,
                "head_dim is \(headSize); allowed: hidden_size / num_attention_heads, \(hidden / heads)")
        }
        return ModelConfiguration(
            hiddenSize: hidden, intermediateSize: try requiredSize("intermediate_size"), hiddenLayerCount: layers,
            attentionHeadCount: heads, keyValueHeadCount: keyValueHeads,
            vocabularySize: try requiredSize("vocab_size"),
            maxPositionEmbeddings: try size("max_position_embeddings") ?? maxPositionEmbeddings,
            rmsNormEpsilon: try positive("rms_norm_eps", tree["rms_norm_eps"]) ?? rmsNormEpsilon,
            ropeTheta: try rotaryBase() ?? ropeTheta,
            initializerRange: try positive("initializer_range", tree["initializer_range"]) ?? initializerRange,
            tieWordEmbeddings: try flag("tie_word_embeddings") ?? false)
    }

    private func bad(_ problem: String) -> HuggingFaceError { HuggingFaceError(.badConfiguration, file: file, problem) }

    private func requiredSize(_ key: String) throws(HuggingFaceError) -> Int {
        guard let value = try size(key) else { throw bad("\(key) is missing") }
        return value
    }

    /// A positive whole number; nil if absent or null.
    private func size(_ key: String) throws(HuggingFaceError) -> Int? {
        guard let value = tree[key], value != .null else { return nil }
        guard case .number(let digits) = value, let size = Int(digits), (1...Self.largestSize).contains(size) else {
            throw bad("\(key) must be a whole number from 1 to \(Self.largestSize)")
        }
        return size
    }

    private func flag(_ key: String) throws(HuggingFaceError) -> Bool? {
        guard let value = tree[key], value != .null else { return nil }
        guard case .boolean(let flag) = value else { throw bad("\(key) must be true or false") }
        return flag
    }

    /// A positive finite number; nil if absent or null.
    private func positive(_ key: String, _ value: JSONTree?) throws(HuggingFaceError) -> Double? {
        guard let value, value != .null else { return nil }
        guard case .number(let digits) = value, let number = Double(digits), number > 0, number.isFinite else {
            throw bad("\(key) must be a positive number")
        }
        return number
    }

    /// `rope_theta`, which transformers 4 writes at the top and transformers 5 in `rope_parameters`.
    private func rotaryBase() throws(HuggingFaceError) -> Double? {
        let top = try positive("rope_theta", tree["rope_theta"])
        guard let parameters = tree["rope_parameters"], parameters != .null else { return top }
        guard case .object(let members) = parameters else { throw bad("rope_parameters must be an object") }
        let others = members.filter { $0.key != "rope_theta" }
        guard RotaryScaling(.object(others)) == .none else {
            let named = others.map { member in
                quoted(member.key) + (member.value.string.map { " " + quoted($0) } ?? "")
            }
            throw HuggingFaceError(
                .unsupported, file: file,
                "rope_parameters has \(named.prefix(8).joined(separator: ", ")); allowed: rope_type 'default' and"
                    + " rope_theta (scaled rotary embeddings are not supported)")
        }
        let inner = try positive("rope_parameters.rope_theta", parameters["rope_theta"])
        if let top, let inner, top != inner {
            throw bad(
                "rope_theta is \(top), and rope_parameters says \(inner): versions of transformers would disagree")
        }
        return inner ?? top
    }
}

extension HuggingFaceConfiguration {
    /// The `config.json` to write. Both forms of the rotary base stand in it: transformers 4 reads the first and keeps the
    /// second unused, transformers 5 reads the second. `torch_dtype` is the name that both know.
    func text(tokens: SpecialTokens) -> String {
        JSONTree.members([
            "architectures": .array([.string("LlamaForCausalLM")]),
            "attention_bias": .boolean(false),
            "attention_dropout": .double(0),
            "bos_token_id": tokens.begin.map(JSONTree.integer) ?? .null,
            "eos_token_id": tokens.end.map(JSONTree.integer) ?? .null,
            "head_dim": .integer(model.headSize),
            "hidden_act": .string("silu"),
            "hidden_size": .integer(model.hiddenSize),
            "initializer_range": .double(model.initializerRange),
            "intermediate_size": .integer(model.intermediateSize),
            "max_position_embeddings": .integer(model.maxPositionEmbeddings),
            "mlp_bias": .boolean(false),
            "model_type": .string("llama"),
            "num_attention_heads": .integer(model.attentionHeadCount),
            "num_hidden_layers": .integer(model.hiddenLayerCount),
            "num_key_value_heads": .integer(model.keyValueHeadCount),
            "pad_token_id": tokens.padding.map(JSONTree.integer) ?? .null,
            "pretraining_tp": .integer(1),
            "rms_norm_eps": .double(model.rmsNormEpsilon),
            "rope_parameters": .members(["rope_theta": .double(model.ropeTheta), "rope_type": .string("default")]),
            "rope_theta": .double(model.ropeTheta),
            "tie_word_embeddings": .boolean(model.tieWordEmbeddings),
            "torch_dtype": .string("float32"),
            "use_cache": .boolean(true),
            "vocab_size": .integer(model.vocabularySize),
        ]).text
    }

    /// The `generation_config.json` to write: where generation ends.
    static func generationText(tokens: SpecialTokens) -> String {
        var members: [JSONTree.Member] = []
        for (key, token) in [("bos_token_id", tokens.begin), ("eos_token_id", tokens.end)] {
            if let token { members.append(JSONTree.Member(key: key, value: .integer(token))) }
        }
        if let padding = tokens.padding {
            members.append(JSONTree.Member(key: "pad_token_id", value: .integer(padding)))
        }
        return JSONTree.object(members).text
    }
}
