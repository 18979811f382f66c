// PostProcessor - the special tokens around a text, for those who ask for them.

/// A post-processor of `tokenizer.json`.
///
/// Training texts get no special tokens: the end token alone follows each document.
indirect enum PostProcessor: Sendable {
    /// A part of a template: the ids of a special token, or the text.
    enum Part: Sendable, Equatable {
        case tokens([Int32])
        case text
    }

    case template([Part])
    /// Changes the places of tokens in the text, which are not kept here.
    case byteLevel
    case sequence([PostProcessor])

    /// `ids` with special tokens.
    func adding(to ids: [Int32]) -> [Int32] {
        switch self {
        case .template(let parts):
            parts.flatMap { part in
                switch part {
                case .tokens(let tokens): tokens
                case .text: ids
                }
            }
        case .byteLevel: ids
        case .sequence(let processors): processors.reduce(ids) { $1.adding(to: $0) }
        }
    }

    /// The special tokens before a text, such as BOS.
    var leadingTokens: [Int32] {
        switch self {
        case .template(let parts):
            parts.prefix { $0 != .text }.flatMap { part -> [Int32] in
                switch part {
                case .tokens(let tokens): tokens
                case .text: []
                }
            }
        case .byteLevel: []
        // A later step puts its tokens before those of the steps in front of it.
        case .sequence(let processors): processors.reversed().flatMap(\.leadingTokens)
        }
    }
}
