// CheckpointIndex+Tokenizer - compares a run's tokenizer with the one of the checkpoint from which it starts.

package import Checkpointing
package import TokenData
package import Tokenizers

extension CheckpointIndex.Tokenizer {
    /// The tokenizer that a run's checkpoints hold.
    ///
    /// A run without tokenizer passes on what it started from: also a SentencePiece model that cannot end documents.
    ///
    /// - Parameters:
    ///   - tokenizer: the run's.
    ///   - origin: the tokenizer of the checkpoint that the run started from, if any.
    package init(_ tokenizer: (any Tokenizers.Tokenizer)?, origin: CheckpointIndex.Tokenizer?) {
        self =
            tokenizer.map {
                CheckpointIndex.Tokenizer(
                    name: $0.name, bytes: $0.modelBytes,
                    endToken: $0.kind == JSONTokenizer.kindName && $0.endToken >= 0 ? Int($0.endToken) : nil)
            }
            ?? origin ?? CheckpointIndex.Tokenizer(name: Self.noneName)
    }

    /// Whether texts can be read with it. What is no tokenizer of this program at all cannot be used either.
    package var isUsable: Bool {
        let tokenizer = try? CheckpointTokenizer(name: name, modelBytes: bytes, endToken: endToken, origin: "")
        return tokenizer?.tokenizer != nil
    }

    /// Whether it is a SentencePiece model without end token, which reads no text.
    var isEndless: Bool {
        guard !bytes.isEmpty, !name.hasSuffix(JSONTokenizer.suffix),
            let stored = try? CheckpointTokenizer(name: name, modelBytes: bytes, origin: "")
        else {
            return false
        }
        return stored.tokenizer == nil
    }

    /// Why a run with `tokenizer` cannot start from a checkpoint with this one, one of the two having none: a tokenizer must
    /// neither come from nowhere nor get lost. Nil where it can.
    func lackConflict(with tokenizer: (any Tokenizers.Tokenizer)?) -> String? {
        if let tokenizer {
            if isEndless {
                return "data.tokenizer: the checkpoint has \(name), which has no end token (eos, \"</s>\"), the "
                    + "configuration \(tokenizer.name): set it to none, with which prepared data are read; if the weights "
                    + "are of a model for \(tokenizer.name), import them again with --tokenizer \(tokenizer.name)"
            }
            // Who names a model's file means it; bytes is what a configuration says that names nothing.
            guard name == Self.noneName, tokenizer.modelBytes.isEmpty else { return nil }
            return "data.tokenizer: the checkpoint has none, the configuration \(tokenizer.name): set it to none, with "
                + "which prepared data are read, or to the SentencePiece model of these weights; if they are of a model for "
                + "\(tokenizer.name), import them again with --tokenizer \(tokenizer.name)"
        }
        guard isUsable else { return nil }
        return "data.tokenizer: the checkpoint has \(name), the configuration none: set it to "
            + (bytes.isEmpty ? name : "the file of that model (mile-dist export writes it)")
    }

    /// Why a run with `tokenizer` cannot continue a checkpoint with this one; nil where it can.
    package func conflict(with tokenizer: (any Tokenizers.Tokenizer)?) -> String? {
        if let conflict = lackConflict(with: tokenizer) { return conflict }
        guard let tokenizer, name != Self.noneName else { return nil }
        guard bytes != tokenizer.modelBytes else {
            guard let endToken, endToken != Int(tokenizer.endToken) else { return nil }
            return "data.end_token: documents end with \(endToken) in the checkpoint, with \(tokenizer.endToken)"
                + " in the configuration"
        }
        return bytes.isEmpty
            ? "data.tokenizer: the checkpoint has \(name), the configuration \(tokenizer.name)"
            : "data.tokenizer: the checkpoint has another \(name) than the configuration's \(tokenizer.name)"
    }

    /// Checks that the prepared data of a run that starts from this checkpoint are not known to be another tokenizer's.
    ///
    /// - Parameters:
    ///   - domains: all that the run reads.
    ///   - key: what errors name.
    /// - Throws: ``DataError`` naming a domain that was prepared with another tokenizer.
    package func requireOrigin(of domains: [TokenDomain], key: String) throws {
        // Without a model there is nothing to compare with; a run with a tokenizer has compared it.
        guard !bytes.isEmpty else { return }
        try TokenDomain.requireTokenizer(domains, name: name, modelBytes: bytes, key: key)
    }

    /// What to say where a run names the tokenizer of a checkpoint that has none; nil elsewhere.
    package func assumption(of tokenizer: (any Tokenizers.Tokenizer)?) -> String? {
        guard name == Self.noneName, let tokenizer else { return nil }
        return "the checkpoint has no tokenizer: that its model was trained with \(tokenizer.name) is taken from the "
            + "configuration and not checked"
    }
}

extension CheckpointIndex {
    /// The roles that exports of a run must leave out that starts here and has `tokenizer`.
    ///
    /// Why: ids that no tokenizer of the checkpoint tells are told by the tokenizer that the run names.
    package func rolesWithheld(with tokenizer: (any Tokenizers.Tokenizer)?) -> Set<TokenRole> {
        let isNew = self.tokenizer.name == CheckpointIndex.Tokenizer.noneName && tokenizer != nil
        return isNew ? [] : withheldTokens
    }
}
