// HuggingFaceConfiguration - config.json of a LLaMA: strict reading, and writing.

internal import JSONReading
internal import LlamaModel

/// The content of a `config.json`.
///
/// There are three kinds of keys: those that are read, those with values that change nothing, and those that no
/// pretraining run uses. Any other key is an error. Why: a model that lacks a setting looks right and computes other
/// numbers.
struct HuggingFaceConfiguration: Equatable {
    /// Largest `config.json` that is read; real ones have a few thousand bytes.
    static let largestByteCount = 1 << 20

    let model: ModelConfiguration

    /// Keys that are unusual and change nothing, each with its value.
    let passedOver: [String]

    init(model: ModelConfiguration) { (self.model, passedOver) = (model, []) }

    /// Reads a `config.json`.
    ///
    /// - Throws: ``HuggingFaceError``: `unsupported`, `unknownKey`, `badConfiguration`, or a kind of malformed JSON.
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
        model = try Fields(tree: tree, file: file).model()
    }
}

/// The keys that are read, with their checks.
private struct Fields {
    /// The keys of a model, and two that have no property of their own.
    static let keys = Set(ModelConfiguration.keys.map(\.name) + ["rope_parameters", "head_dim"])

    let tree: JSONTree
    let file: String

    /// The keys that ``check(_:)`` compares. They are read first.
    ///
    /// Why: heads of another kind tell of another architecture, which is the better error.
    private static let headKeys = ["hidden_size", "num_attention_heads", "num_key_value_heads", "num_hidden_layers"]

    func model() throws(HuggingFaceError) -> ModelConfiguration {
        let keys = ModelConfiguration.keys
        var model = ModelConfiguration.unset
        for name in Self.headKeys {
            for key in keys where key.name == name { try read(key, into: &model) }
        }
        model.resolveDefaults()
        try check(model)
        for key in keys where !Self.headKeys.contains(key.name) { try read(key, into: &model) }
        // Why again: a default of these keys may follow from others. None does today.
        model.resolveDefaults()
        return model
    }

    private func read(_ key: ModelKey, into model: inout ModelConfiguration) throws(HuggingFaceError) {
        switch key.kind {
        case .size(let property, let allowed):
            let size = try size(key.name, from: allowed.lowerBound) ?? property.huggingFace
            model[keyPath: property.path] = try required(key, size)
        case .number(let property):
            let number = try key.name == "rope_theta" ? rotaryBase() : positive(key.name, tree[key.name])
            model[keyPath: property.path] = try required(key, number ?? property.huggingFace)
        case .flag(let property):
            model[keyPath: property.path] = try required(key, flag(key.name) ?? property.huggingFace)
        }
    }

    /// The value of a key, or of its default.
    private func required<Value>(_ key: ModelKey, _ value: Value?) throws(HuggingFaceError) -> Value {
        guard let value else { throw bad("\(key.name) is missing") }
        return value
    }

    /// Checks the sizes against each other, which are all at least 1.
    private func check(_ model: ModelConfiguration) throws(HuggingFaceError) {
        let (hidden, heads, layers) = (model.hiddenSize, model.attentionHeadCount, model.hiddenLayerCount)
        guard layers <= ModelConfiguration.mostLayers else {
            throw bad("num_hidden_layers is \(layers); allowed: 1 to \(ModelConfiguration.mostLayers)")
        }
        guard hidden % heads == 0, hidden / heads % 2 == 0 else {
            throw bad(
                "num_attention_heads is \(heads) and hidden_size \(hidden); the heads must divide it into even sizes")
        }
        guard heads % model.keyValueHeadCount == 0 else {
            throw bad(
                "num_key_value_heads is \(model.keyValueHeadCount); it must divide num_attention_heads \(heads)")
        }
        if let headSize = try size("head_dim"), headSize != hidden / heads {
            throw HuggingFaceError(
                .unsupported, file: file,
                "head_dim is \(headSize); allowed: hidden_size / num_attention_heads, \(hidden / heads)")
        }
    }

    private func bad(_ problem: String) -> HuggingFaceError { HuggingFaceError(.badConfiguration, file: file, problem) }

    /// A whole number up to the largest that a checkpoint may have; nil if absent or null.
    private func size(_ key: String, from least: Int = 1) throws(HuggingFaceError) -> Int? {
        guard let value = tree[key], value != .null else { return nil }
        let largest = ModelConfiguration.largestSize
        guard case .number(let digits) = value, let size = Int(digits), (least...largest).contains(size) else {
            throw bad("\(key) must be a whole number from \(least) to \(largest)")
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

    /// The rotary base: `rope_theta` at the top (transformers 4), or in `rope_parameters` (transformers 5).
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
    /// The `config.json` to write, with sorted keys.
    ///
    /// It holds the rotary base twice: transformers 4 reads `rope_theta`, transformers 5 reads `rope_parameters`. Both
    /// know `torch_dtype`.
    func text(tokens: SpecialTokens) -> String {
        var members: [String: JSONTree] = [
            "architectures": .array([.string("LlamaForCausalLM")]),
            "attention_bias": .boolean(false),
            "attention_dropout": .double(0),
            "bos_token_id": tokens.begin.map(JSONTree.integer) ?? .null,
            "eos_token_id": tokens.end.map(JSONTree.integer) ?? .null,
            "head_dim": .integer(model.headSize),
            "hidden_act": .string("silu"),
            "mlp_bias": .boolean(false),
            "model_type": .string("llama"),
            "pad_token_id": tokens.padding.map(JSONTree.integer) ?? .null,
            "pretraining_tp": .integer(1),
            "rope_parameters": .members(["rope_theta": .double(model.ropeTheta), "rope_type": .string("default")]),
            "torch_dtype": .string("float32"),
            "use_cache": .boolean(true),
        ]
        for key in ModelConfiguration.keys {
            members[key.name] =
                switch key.kind {
                case .size(let property, _): .integer(model[keyPath: property.path])
                case .number(let property): .double(model[keyPath: property.path])
                case .flag(let property): .boolean(model[keyPath: property.path])
                }
        }
        return JSONTree.object(members.sorted { $0.key < $1.key }.map { JSONTree.Member(key: $0.key, value: $0.value) })
            .text
    }

    /// The `generation_config.json` to write: the ids of special tokens.
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
