// ConfigurationProblems - everything for which a config.json is refused, said in one error.

/// The problems of one `config.json`.
struct ConfigurationProblems {
    /// Settings that are known and not supported, a sentence for each.
    var refused: [String] = []
    /// Values that no model can have, a sentence for each.
    var impossible: [String] = []
    /// Keys whose effect is not known, in quotes.
    var unknown: [String] = []

    /// Most keys of each kind that an error names.
    private static let mostNamed = 8

    /// Adds the problems of `other` behind these.
    mutating func append(_ other: ConfigurationProblems) {
        refused += other.refused
        impossible += other.impossible
        unknown += other.unknown
    }

    /// - Throws: one error about all problems: `unsupported` if a setting is not supported, else `badConfiguration` if
    ///   a value is impossible, else `unknownKey`.
    func requireNone(file: String) throws(HuggingFaceError) {
        var sentences = Self.shortened(refused) + Self.shortened(impossible)
        if !unknown.isEmpty {
            let named = unknown.prefix(Self.mostNamed).joined(separator: ", ")
            let rest = unknown.count > Self.mostNamed ? " and \(unknown.count - Self.mostNamed) more" : ""
            let (verb, pronoun) = unknown.count == 1 ? ("is", "it does") : ("are", "they do")
            sentences.append(
                "\(named)\(rest) \(verb) unknown here and may change what the model computes; if \(pronoun) not, remove"
                    + " \(unknown.count == 1 ? "it" : "them") from the file")
        }
        guard !sentences.isEmpty else { return }
        let text =
            sentences.count == 1
            ? sentences[0] : "what follows cannot be imported:\n  " + sentences.joined(separator: "\n  ")
        let kind: HuggingFaceError.Kind =
            !refused.isEmpty ? .unsupported : !impossible.isEmpty ? .badConfiguration : .unknownKey
        throw HuggingFaceError(kind, file: file, text)
    }

    private static func shortened(_ sentences: [String]) -> [String] {
        let rest = sentences.count - mostNamed
        return sentences.prefix(mostNamed) + (rest > 0 ? ["and \(rest) more"] : [])
    }
}
