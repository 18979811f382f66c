// ConfigurationFields - the keys of a config.json that are read, with their checks.

internal import JSONReading
internal import LlamaModel

/// Reads a model from a `config.json`, and collects what is wrong with its keys.
struct ConfigurationFields {
    /// What is wrong with the keys that are read.
    private(set) var problems = ConfigurationProblems()
    /// Keys that are unusual and change nothing, each with its value.
    private(set) var passedOver: [String] = []
    /// The model; meaningless where there are problems.
    private(set) var model = ModelConfiguration.unset

    private let tree: JSONTree
    private let architecture: ModelConfiguration.Architecture

    init(_ tree: JSONTree, architecture: ModelConfiguration.Architecture) {
        self.tree = tree
        self.architecture = architecture
        model.architecture = architecture
        // Sizes that cannot be read stay 0.
        for key in ModelConfiguration.keys where Self.names(architecture).contains(key.name) { read(key) }
        readRotary()
        if architecture.hasUnrotatedLayers { readUnrotatedLayers() }
        model.resolveDefaults()
        check()
    }

    /// The keys that are read from files of an architecture.
    static func keys(_ architecture: ModelConfiguration.Architecture) -> Set<String> {
        var keys = names(architecture).union(["model_type", "rope_theta", "rope_scaling", "rope_parameters"])
        if architecture.hasUnrotatedLayers { keys.formUnion(["no_rope_layers", "no_rope_layer_interval"]) }
        return keys
    }

    /// The keys of a model that have the same name and form in a `config.json`.
    private static func names(_ architecture: ModelConfiguration.Architecture) -> Set<String> {
        Set(
            ModelConfiguration.keys.map(\.name).filter { name in
                switch name {
                case "attention_bias": architecture.hasAttentionBiasKey
                case "mlp_bias": architecture.hasMLPBiasKey
                case "sliding_window": architecture.hasSlidingWindow
                case "no_rope_layer_interval", "architecture": false
                default: !name.hasPrefix("rope_")
                }
            })
    }

    private mutating func report(_ problem: String) { problems.impossible.append(problem) }

    // MARK: - Values

    private mutating func read(_ key: ModelKey) {
        switch key.kind {
        case .size(let property, let allowed):
            let standard =
                tree[key.name] == nil ? architecture.size(key.name) ?? property.huggingFace : property.huggingFace
            if let size = value(key.name, standard, read: { $0.size(key.name, from: max(allowed.lowerBound, 1)) }) {
                model[keyPath: property.path] = size
            }
        case .number(let property):
            if let number = value(
                key.name, property.huggingFace, read: { $0.positive(key.name, $0.tree[key.name] ?? .null) })
            {
                model[keyPath: property.path] = number
            }
        case .flag(let property):
            let standard = key.name == "tie_word_embeddings" ? architecture.tiesWordEmbeddings : property.huggingFace
            if let flag = value(key.name, standard, read: { $0.flag(key.name) }) {
                model[keyPath: property.path] = flag
            }
        case .word: preconditionFailure("\(key.name) has another form in a config.json")
        }
    }

    /// The value of a key, or of its default where it is absent or null. nil after a report.
    private mutating func value<Value>(
        _ key: String, _ standard: Value?, read: (inout ConfigurationFields) -> Value?
    ) -> Value? {
        if let value = tree[key], value != .null { return read(&self) }
        if standard == nil { report("\(key) is missing") }
        return standard
    }

    /// A whole number up to the largest that a checkpoint may have.
    private mutating func size(_ key: String, from least: Int) -> Int? {
        let largest = ModelConfiguration.largestSize
        guard case .number(let digits)? = tree[key], let size = Int(digits), (least...largest).contains(size) else {
            report("\(key) must be a whole number from \(least) to \(largest)")
            return nil
        }
        return size
    }

    private mutating func flag(_ key: String) -> Bool? {
        guard case .boolean(let flag)? = tree[key] else {
            report("\(key) must be true or false")
            return nil
        }
        return flag
    }

    /// A positive finite number.
    private mutating func positive(_ key: String, _ value: JSONTree) -> Double? {
        guard case .number(let digits) = value, let number = Double(digits), number > 0, number.isFinite else {
            report("\(key) must be a positive number")
            return nil
        }
        return number
    }

    // MARK: - Rotary embeddings

    /// Reads base and scaling of rotary embeddings.
    ///
    /// transformers 4 has `rope_theta` and `rope_scaling`, transformers 5 has both in `rope_parameters`.
    private mutating func readRotary() {
        let (top, parameters) = (tree["rope_theta"] ?? .null, tree["rope_parameters"] ?? .null)
        let outer = top == .null ? nil : positive("rope_theta", top)
        var inner: Double?
        if case .object = parameters {
            if let theta = parameters["rope_theta"], theta != .null {
                inner = positive("rope_parameters.rope_theta", theta)
            }
        } else if parameters != .null {
            return report("rope_parameters must be an object")
        }
        if let outer, let inner, outer != inner {
            report("rope_theta is \(outer), and rope_parameters says \(inner): versions of transformers would disagree")
        }
        model.ropeTheta = inner ?? outer ?? architecture.ropeTheta

        let scaling = rotaryParameters("rope_scaling")
        let newer = rotaryParameters("rope_parameters")
        guard let scaling, let newer else { return }
        let hasOlder = (tree["rope_scaling"] ?? .null) != .null
        if hasOlder, parameters != .null, scaling != newer {
            report("rope_scaling and rope_parameters differ: versions of transformers would disagree")
        }
        (hasOlder ? scaling : newer).set(in: &model)
    }

    /// The scaling in an object; nil after a report.
    private mutating func rotaryParameters(_ key: String) -> RotaryParameters? {
        let value = tree[key] ?? .null
        guard let parameters = RotaryParameters(value, allowsBase: key == "rope_parameters") else {
            problems.refused.append(
                "\(key) is \(ConfigurationKeys.shown(value)); allowed: \(RotaryParameters.allowed) (other scalings of"
                    + " rotary embeddings are not supported)")
            return nil
        }
        if key == "rope_scaling", value != .null, parameters.scaling == .none {
            passedOver.append("\(key) \(ConfigurationKeys.shown(value))")
        }
        return parameters
    }

    /// Reads which layers have no rotary embeddings: a list with 0 for these and 1 for others, or their interval.
    private mutating func readUnrotatedLayers() {
        let (list, interval) = (tree["no_rope_layers"] ?? .null, "no_rope_layer_interval")
        let count = model.hiddenLayerCount
        guard list != .null else {
            model.unrotatedLayerInterval =
                value(interval, architecture.size(interval), read: { $0.size(interval, from: 1) }) ?? 0
            return
        }
        guard case .array(let values) = list, values.count >= count else {
            return report("no_rope_layers must be a list with a number for each layer")
        }
        let isRotated = values.prefix(count).map { $0.double == 1 }
        model.unrotatedLayerInterval = isRotated.firstIndex(of: false).map { $0 + 1 } ?? 0
        let isRegular = (0..<count).allSatisfy { model.isRotated(layer: $0) == isRotated[$0] }
        guard isRegular, values.prefix(count).allSatisfy({ $0.double == 1 || $0.double == 0 }) else {
            problems.refused.append(
                "no_rope_layers is \(ConfigurationKeys.shown(list)); allowed: 0 for every k-th layer and 1 for the others"
                    + " (layers without rotary embeddings have one interval)")
            return
        }
    }

    // MARK: - Values that contradict one another

    /// Checks the sizes against each other, where all of them could be read.
    private mutating func check() {
        let (hidden, heads, layers) = (model.hiddenSize, model.attentionHeadCount, model.hiddenLayerCount)
        if layers > ModelConfiguration.mostLayers {
            report("num_hidden_layers is \(layers); allowed: 1 to \(ModelConfiguration.mostLayers)")
        }
        guard hidden > 0, heads > 0, model.keyValueHeadCount > 0 else { return }
        let (divides, shares) = (hidden.isMultiple(of: heads), model.headsShareHidden)
        // transformers refuses a LLaMA whose heads do not divide the hidden size, also with a head_dim.
        if !divides && (shares || architecture == .llama) || shares && !model.headSize.isMultiple(of: 2) {
            report(
                "num_attention_heads is \(heads) and hidden_size \(hidden); the heads must divide it into even sizes")
        }
        if !heads.isMultiple(of: model.keyValueHeadCount) {
            report("num_key_value_heads is \(model.keyValueHeadCount); it must divide num_attention_heads \(heads)")
        }
        for contradiction in model.contradictions {
            report("\(contradiction.key) is \(contradiction.found); allowed: \(contradiction.allowed)")
        }
    }
}
