// RunConfiguration+Comparison - the differences of two configurations, and which of them a resume allows.

public import LlamaModel
internal import TokenData

extension RunConfiguration {
    /// Compares with the configuration of a checkpoint (design section 5, "Resume").
    ///
    /// A resumed run keeps model, tokenizer, sequence length, ignored targets, update rule and seed. It keeps names,
    /// weights and order of the training domains. Another value of one of these is a conflict. Everything else may
    /// change, paths included: the data fingerprint tells whether the data are equal.
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
    /// Keys of the model that change neither the shapes of weights nor what given weights compute.
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
    /// The difference of the key's value from a checkpoint's, in words; nil where the two are equal.
    fileprivate func difference(from earlier: RunConfiguration, to now: RunConfiguration) -> String? {
        let (before, after) = (encode(earlier), encode(now))
        guard before != after else { return nil }
        return "\(name): the checkpoint has \(before.text(json: false)), the configuration \(after.text(json: false))"
    }
}

extension RunConfiguration {
    /// Every dotted key with its value as YAML on one line, in the order of the configuration; for comparing runs.
    ///
    /// Training domains of weight 0 are left out: they change nothing.
    public var values: [(key: String, text: String)] {
        var run = self
        run.data.train.removeAll { $0.weight == 0 }
        return Schema.fields.map { ($0.name, $0.encode(run).text(json: false)) }
    }
}
