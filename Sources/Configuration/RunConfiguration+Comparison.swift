// RunConfiguration+Comparison - how two configurations differ, and what of that a resume allows.

public import LlamaModel
internal import TokenData

extension RunConfiguration {
    /// Compares with the configuration of a checkpoint (design section 5, "Resume").
    ///
    /// The model, the tokenizer, the names, weights and order of the training domains, sequence length, ignored targets
    /// and seed make a run what it is; another value is a conflict. Everything else may change, paths included: that
    /// the data are the same is the data fingerprint's to say.
    ///
    /// - Parameter earlier: The checkpoint's configuration.
    /// - Returns: One line for each key that differs, in the order of the configuration: `conflicts` bar a resume,
    ///   `changes` are to be logged.
    public func comparison(with earlier: RunConfiguration) -> (conflicts: [String], changes: [String]) {
        var conflicts: [String] = []
        var changes: [String] = []
        for field in Schema.fields {
            guard let line = field.difference(from: earlier, to: self) else { continue }
            if let identity = field.identity, identity(earlier) != identity(self) {
                conflicts.append(line)
            } else {
                changes.append(line)
            }
        }
        return (conflicts, changes)
    }
}

extension RunConfiguration {
    /// Keys of the model that a model with given weights does not compute with.
    private static let withoutEffect = Set(
        ModelConfiguration.keys.filter { !$0.changesOutput }.map { "model." + $0.name })

    /// Compares with the model of a checkpoint whose weights a new run takes (`--initialize-from`).
    ///
    /// - Returns: One line for each key that differs: `conflicts` change what the weights compute or their shapes,
    ///   `changes` do not.
    public func modelComparison(with model: ModelConfiguration) -> (conflicts: [String], changes: [String]) {
        var earlier = self
        earlier.model = model
        var conflicts: [String] = []
        var changes: [String] = []
        for field in Schema.fields {
            guard let line = field.difference(from: earlier, to: self) else { continue }
            if Self.withoutEffect.contains(field.name) { changes.append(line) } else { conflicts.append(line) }
        }
        return (conflicts, changes)
    }
}

extension Field<RunConfiguration> {
    /// How the key's value differs from a checkpoint's, in words; nil where it does not.
    fileprivate func difference(from earlier: RunConfiguration, to now: RunConfiguration) -> String? {
        let (before, after) = (encode(earlier), encode(now))
        guard before != after else { return nil }
        return "\(name): the checkpoint has \(before.text(json: false)), the configuration \(after.text(json: false))"
    }
}

extension RunConfiguration {
    /// Every key, dotted, with its value as YAML on one line, in the order of the configuration; for comparing runs.
    ///
    /// Training domains of weight 0 are left out: a run without them is the same.
    public var values: [(key: String, text: String)] {
        var run = self
        run.data.train.removeAll { $0.weight == 0 }
        return Schema.fields.map { ($0.name, $0.encode(run).text(json: false)) }
    }
}
