// HuggingFaceConfiguration - config.json of a model: strict reading, and writing.

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
        var problems = ConfigurationProblems()
        let type = tree["model_type"]
        let stated = type?.string.flatMap(ModelConfiguration.Architecture.init)
        if stated == nil {
            let allowed = ModelConfiguration.Architecture.allCases.map(\.rawValue).joined(separator: ", ")
            problems.refused.append(
                type.map {
                    "model_type is \(ConfigurationKeys.shown($0)); allowed: \(allowed) (other models are not read)"
                }
                    ?? "it has no model_type; allowed: \(allowed)")
        }
        // The keys of an unknown architecture are judged as those of a LLaMA.
        let architecture = stated ?? .llama
        let keys = ConfigurationKeys(tree, read: ConfigurationFields.keys(architecture), architecture: architecture)
        let fields = ConfigurationFields(tree, architecture: architecture)
        problems.append(keys.problems)
        problems.append(fields.problems)
        try problems.requireNone(file: file)
        passedOver = keys.passedOver + fields.passedOver
        model = fields.model
    }
}

extension HuggingFaceConfiguration {
    /// The `config.json` to write, with sorted keys.
    ///
    /// It holds rotary base and scaling twice. transformers 4 reads `rope_theta` and `rope_scaling`, transformers 5
    /// reads `rope_parameters`. Both know `torch_dtype`.
    ///
    /// - Parameter type: the type of the weights.
    func text(tokens: SpecialTokens, type: ExportedType = .fp32) -> String {
        let architecture = model.architecture
        let rotary = RotaryParameters(model)
        let base = JSONTree.Member(key: "rope_theta", value: .double(model.ropeTheta))
        var members: [String: JSONTree] = [
            "architectures": .array([.string(architecture.className)]),
            "attention_dropout": .double(0),
            "bos_token_id": tokens.begin.map(JSONTree.integer) ?? .null,
            "eos_token_id": tokens.end.map(JSONTree.integer) ?? .null,
            "hidden_act": .string("silu"),
            "model_type": .string(architecture.rawValue),
            "pad_token_id": tokens.padding.map(JSONTree.integer) ?? .null,
            "rope_parameters": .object((rotary.members + [base]).sorted { $0.key < $1.key }),
            "torch_dtype": .string(type.torchName),
            "use_cache": .boolean(true),
        ]
        if rotary.scaling != .none { members["rope_scaling"] = .object(rotary.members) }
        let names = ConfigurationFields.keys(architecture)
        for key in ModelConfiguration.keys where names.contains(key.name) {
            switch key.kind {
            case .size(let property, _): members[key.name] = .integer(model[keyPath: property.path])
            case .number(let property): members[key.name] = .double(model[keyPath: property.path])
            case .flag(let property): members[key.name] = .boolean(model[keyPath: property.path])
            // It has another form, which is written here.
            case .word: break
            }
        }
        switch architecture {
        case .llama: members["pretraining_tp"] = .integer(1)
        case .mistral: if model.slidingWindow == 0 { members["sliding_window"] = .null }
        case .qwen2, .qwen3: members["use_sliding_window"] = .boolean(false)
        case .smollm3:
            members["use_sliding_window"] = .boolean(false)
            members["no_rope_layers"] = .array(
                (0..<model.hiddenLayerCount).map { .integer(model.isRotated(layer: $0) ? 1 : 0) })
            if model.unrotatedLayerInterval == 0 { members["no_rope_layer_interval"] = nil }
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
