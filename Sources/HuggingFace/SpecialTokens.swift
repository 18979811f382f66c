// SpecialTokens - the token ids with a role: begin, end, padding, unknown.

internal import Checkpointing

/// Token ids by role; nil where the tokenizer has no such token.
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

    /// The id of a role.
    subscript(role: TokenRole) -> Int? {
        switch role {
        case .begin: begin
        case .end: end
        case .padding: padding
        }
    }

    /// Without the ids of some roles.
    func without(_ roles: Set<TokenRole>) -> SpecialTokens {
        SpecialTokens(
            begin: roles.contains(.begin) ? nil : begin, end: roles.contains(.end) ? nil : end,
            padding: roles.contains(.padding) ? nil : padding, unknown: unknown)
    }
}

extension TokenRole {
    /// The key of the id in `config.json` and `generation_config.json`.
    var idKey: String { rawValue + "_token_id" }
    /// The key of the text in `tokenizer_config.json`.
    var textKey: String { rawValue + "_token" }
}
