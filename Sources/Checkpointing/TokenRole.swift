// TokenRole - the tokens with a role whose ids a model's configuration names.

/// The roles whose ids stand in `config.json`; raw values are the keys' beginnings, as in `eos_token_id`.
public enum TokenRole: String, Sendable, CaseIterable {
    case begin = "bos"
    case end = "eos"
    case padding = "pad"
}
