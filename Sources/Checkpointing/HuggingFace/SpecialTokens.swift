// SpecialTokens - the ids that begin and end documents, as configuration files name them.

/// Ids with a role; nil where the tokenizer has none.
struct SpecialTokens: Equatable {
    var begin: Int?
    var end: Int?
    var padding: Int?
    var unknown: Int?

    /// Without the ids that a model of so many tokens does not have.
    func within(_ vocabularySize: Int) -> SpecialTokens {
        func kept(_ id: Int?) -> Int? { id.flatMap { (0..<vocabularySize).contains($0) ? $0 : nil } }
        return SpecialTokens(begin: kept(begin), end: kept(end), padding: kept(padding), unknown: kept(unknown))
    }
}
