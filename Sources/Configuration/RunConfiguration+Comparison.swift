// RunConfiguration+Comparison - how two configurations differ, and what of that a resume allows.

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
            let before = field.encode(earlier)
            let now = field.encode(self)
            let line =
                "\(field.name): the checkpoint has \(before.text(json: false)), "
                + "the configuration \(now.text(json: false))"
            if let identity = field.identity, identity(earlier) != identity(self) {
                conflicts.append(line)
            } else if before != now {
                changes.append(line)
            }
        }
        return (conflicts, changes)
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
