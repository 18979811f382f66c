// ModelKey - one key of a model: its name in files, its property, its limits, its defaults and its help.

/// A key of the configuration section `model`, of `config.json` and of a checkpoint's model record.
///
/// ``ModelConfiguration/keys`` lists all of them. Each reader and writer of a model goes through that list.
public struct ModelKey: Sendable {
    /// The property behind a key, by the kind of its values.
    ///
    /// A new kind of values needs a case here; the compiler then names each reader and writer that must know it.
    public enum Kind: Sendable {
        /// A whole number. A run's configuration may state the numbers of `allowed` only.
        case size(Property<Int>, allowed: ClosedRange<Int>)
        /// A positive finite number.
        case number(Property<Double>)
        /// True or false.
        case flag(Property<Bool>)
        /// One of an enumeration's words.
        case word(WordProperty)
    }

    /// A property, and its values where a file lacks the key.
    public struct Property<Value: Sendable>: Sendable {
        public let path: any WritableKeyPath<ModelConfiguration, Value> & Sendable
        /// Value of a `config.json` without the key: the default of Hugging Face's `LlamaConfig`; nil: none, an error.
        public let huggingFace: Value?
        /// Value of a checkpoint that was written before the key existed; nil: each checkpoint has the key.
        public let earlier: Value?
    }

    /// A property with words for values. A `config.json` says them in other forms, so they have no value there.
    public struct WordProperty: Sendable {
        /// All words.
        public let words: [String]
        /// Value of a checkpoint that was written before the key existed.
        public let earlier: String
        /// The word of a model.
        public let get: @Sendable (ModelConfiguration) -> String
        /// Sets the word; false for a word that is not among ``words``.
        public let set: @Sendable (inout ModelConfiguration, _ word: String) -> Bool
    }

    /// The key in Hugging Face's spelling, where it has one.
    public let name: String
    public let kind: Kind
    /// The meaning of the key, for the configuration's reference.
    public let help: String
    /// Whether a run's configuration must state the key. Otherwise the default is that of the initialiser.
    public private(set) var isRequired = false
    /// The default of a run's configuration in words, where it depends on another key.
    public private(set) var defaultInWords: String?
    /// Whether another value changes the shapes of the weights, or the numbers that given weights compute.
    public private(set) var changesOutput = true

    private init(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        self.kind = kind
        self.help = help
    }
}

// MARK: - One line of the list

extension ModelKey {
    typealias Path<Value> = any WritableKeyPath<ModelConfiguration, Value> & Sendable

    static func size(
        _ name: String, _ path: Path<Int>, _ allowed: ClosedRange<Int>, huggingFace: Int? = nil, earlier: Int? = nil,
        _ help: String
    ) -> ModelKey {
        let property = Property(path: path, huggingFace: huggingFace, earlier: earlier)
        return ModelKey(name, .size(property, allowed: allowed), help)
    }

    static func number(
        _ name: String, _ path: Path<Double>, huggingFace: Double?, earlier: Double? = nil, _ help: String
    ) -> ModelKey {
        ModelKey(name, .number(Property(path: path, huggingFace: huggingFace, earlier: earlier)), help)
    }

    static func flag(
        _ name: String, _ path: Path<Bool>, huggingFace: Bool?, earlier: Bool? = nil, _ help: String
    ) -> ModelKey {
        ModelKey(name, .flag(Property(path: path, huggingFace: huggingFace, earlier: earlier)), help)
    }

    static func word<Value: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, _ path: Path<Value>, earlier: Value, _ help: String
    ) -> ModelKey {
        let property = WordProperty(
            words: Value.allCases.map(\.rawValue), earlier: earlier.rawValue, get: { $0[keyPath: path].rawValue },
            set: { model, word in
                guard let value = Value(rawValue: word) else { return false }
                model[keyPath: path] = value
                return true
            })
        return ModelKey(name, .word(property), help)
    }

    /// The key marked as one that a run's configuration must state.
    var required: ModelKey {
        var copy = self
        copy.isRequired = true
        return copy
    }

    /// The key marked as one that a model with given weights does not compute with.
    var withoutEffectOnOutput: ModelKey {
        var copy = self
        copy.changesOutput = false
        return copy
    }

    /// The key with a default in words. ``ModelConfiguration/resolveDefaults()`` must compute that default.
    func defaults(to words: String) -> ModelKey {
        var copy = self
        copy.defaultInWords = words
        return copy
    }
}

// MARK: - Values

extension ModelKey {
    /// The value of the key in `model` as text: an integer, the shortest digits of a number, `true` or `false`.
    public func text(in model: ModelConfiguration) -> String {
        switch kind {
        case .size(let property, _): "\(model[keyPath: property.path])"
        case .number(let property): "\(model[keyPath: property.path])"
        case .flag(let property): "\(model[keyPath: property.path])"
        case .word(let property): property.get(model)
        }
    }

    /// Whether the key has the value in `model` that it had before the key existed. Such a key need not be stated.
    public func isAtEarlierValue(in model: ModelConfiguration) -> Bool {
        var earlier = model
        let hasEarlierValue =
            switch kind {
            case .size(let property, _): property.setEarlier(in: &earlier)
            case .number(let property): property.setEarlier(in: &earlier)
            case .flag(let property): property.setEarlier(in: &earlier)
            case .word(let property): property.set(&earlier, property.earlier)
            }
        guard hasEarlierValue else { return false }
        earlier.resolveDefaults()
        return text(in: earlier) == text(in: model)
    }
}

extension ModelKey.Property {
    /// Sets the value of earlier checkpoints in `model`; false where each checkpoint has the key.
    fileprivate func setEarlier(in model: inout ModelConfiguration) -> Bool {
        guard let earlier else { return false }
        model[keyPath: path] = earlier
        return true
    }
}

// MARK: - Checkpoint record

extension ModelKey {
    /// A key of a checkpoint's model record. Error messages show the name of this type.
    struct CodingKeys: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Reads the key's value from a checkpoint's model record.
    ///
    /// - Throws: `DecodingError` for a key that is absent, unless earlier checkpoints lack it, or of another type.
    func read(from record: KeyedDecodingContainer<CodingKeys>, into model: inout ModelConfiguration) throws {
        switch kind {
        case .size(let property, _): model[keyPath: property.path] = try value(of: property, in: record)
        case .number(let property): model[keyPath: property.path] = try value(of: property, in: record)
        case .flag(let property): model[keyPath: property.path] = try value(of: property, in: record)
        case .word(let property):
            let key = CodingKeys(stringValue: name)
            let word = record.contains(key) ? try record.decode(String.self, forKey: key) : property.earlier
            guard property.set(&model, word) else {
                throw DecodingError.dataCorruptedError(
                    forKey: key, in: record,
                    debugDescription: "\(name) is '\(word)'; allowed: \(property.words.joined(separator: ", "))")
            }
        }
    }

    private func value<Value: Decodable>(
        of property: Property<Value>, in record: KeyedDecodingContainer<CodingKeys>
    ) throws -> Value {
        let key = CodingKeys(stringValue: name)
        if let earlier = property.earlier, !record.contains(key) { return earlier }
        return try record.decode(Value.self, forKey: key)
    }

    /// Writes the key's value into a checkpoint's model record.
    func write(to record: inout KeyedEncodingContainer<CodingKeys>, from model: ModelConfiguration) throws {
        let key = CodingKeys(stringValue: name)
        switch kind {
        case .size(let property, _): try record.encode(model[keyPath: property.path], forKey: key)
        case .number(let property): try record.encode(model[keyPath: property.path], forKey: key)
        case .flag(let property): try record.encode(model[keyPath: property.path], forKey: key)
        case .word(let property): try record.encode(property.get(model), forKey: key)
        }
    }
}

extension ModelConfiguration: Codable {
    /// Reads a checkpoint's model record: an object with the names of ``keys``. Other names are ignored.
    ///
    /// - Throws: `DecodingError` for a key that is absent, unless earlier checkpoints lack it, or of another type.
    public init(from decoder: any Decoder) throws {
        let record = try decoder.container(keyedBy: ModelKey.CodingKeys.self)
        self = .unset
        for key in Self.keys { try key.read(from: record, into: &self) }
        // A size of 0 that a record states stays an error.
        if !record.contains(ModelKey.CodingKeys(stringValue: "head_dim")) { resolveHeadSize() }
    }

    /// Writes a checkpoint's model record: an object with each of ``keys``, but those at their earlier value.
    ///
    /// Why: programs from before such a key read the record of a model that does not need it.
    public func encode(to encoder: any Encoder) throws {
        var record = encoder.container(keyedBy: ModelKey.CodingKeys.self)
        for key in Self.keys where !key.isAtEarlierValue(in: self) { try key.write(to: &record, from: self) }
    }
}
