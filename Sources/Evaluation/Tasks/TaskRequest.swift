// TaskRequest - a context and its continuation as token ids, encoded and cut as in lm-evaluation-harness.

internal import TokenData
internal import InputFiles
internal import Reporting
internal import Tokenizers

/// The tokens of a context and its continuation, whose log-likelihood is needed. Equal requests are computed once.
struct TaskRequest: Hashable, Sendable {
    /// Context and continuation: at most the model's longest sequence + 1 tokens. The last one is only predicted.
    let tokens: [Int32]
    /// Number of continuation tokens, which are the last ones.
    let continuationCount: Int

    /// A total order, longest first. Why: batches of similar lengths need little padding, a lack of memory shows at the
    /// start, and every rank cuts equal batches.
    static func isBefore(_ a: TaskRequest, _ b: TaskRequest) -> Bool {
        if a.tokens.count != b.tokens.count { return a.tokens.count > b.tokens.count }
        if a.tokens != b.tokens { return a.tokens.lexicographicallyPrecedes(b.tokens) }
        return a.continuationCount < b.continuationCount
    }
}

/// A document ready to be scored.
struct EncodedDocument: Sendable {
    let document: TaskDocument
    /// One request per choice, in the choices' order.
    let requests: [TaskRequest]
    /// Whether a context lost tokens at its start.
    let isTruncated: Bool
}

/// Encodes documents as `_encode_pair` and `_loglikelihood_tokens` of lm-evaluation-harness do for a causal model. A
/// context begins with the tokens of the tokenizer's template, if it has one: BOS in Llama 3.
struct TaskEncoder {
    let tokenizer: any Tokenizers.Tokenizer
    /// Tokens of the longest sequence that the model computes.
    let maximumLength: Int
    /// The key of the model that bounds ``maximumLength``.
    var limitKey = "max_position_embeddings"

    /// Checks that all ids that a tokenizer gives, and those of its template, are ids of the model.
    ///
    /// - Throws: ``ProgramFailure`` naming what the model does not have.
    static func require(_ tokenizer: any Tokenizers.Tokenizer, vocabularySize: Int) throws {
        guard tokenizer.size <= vocabularySize else {
            throw ProgramFailure(
                .badInput,
                "--tasks: the tokenizer \(tokenizer.name) has \(tokenizer.size) ids, more than the "
                    + "model's vocab_size, \(vocabularySize): they do not belong together")
        }
        // A template states ids of its own, which need not be those of tokens.
        if let id = tokenizer.leadingTokens.first(where: { Int($0) >= vocabularySize }) {
            throw ProgramFailure(
                .badInput,
                "--tasks: the post_processor of \(tokenizer.name) puts the id \(id) before texts; allowed: ids below "
                    + "the model's vocab_size, \(vocabularySize)")
        }
    }

    /// - Throws: ``DataError`` naming file and line for a continuation without tokens of its own, or with more tokens
    ///   than ``maximumLength``. The harness stops there too.
    func encode(_ document: TaskDocument) throws -> EncodedDocument {
        var isTruncated = false
        let requests = try document.query.pairs.enumerated().map { index, pair in
            let (context, continuation) = try encode(context: pair.context, continuation: pair.continuation)
            func failure(_ problem: String, _ remedy: String) -> DataError {
                let which = document.query.form == .completion ? "its completion" : "its continuation [\(index)]"
                return DataError(
                    key: TaskFile.option, file: document.file, line: document.line, problem: "\(which) \(problem)",
                    remedy: remedy)
            }
            guard !continuation.isEmpty else {
                throw failure("adds no token to its context", "move the end of the context into the continuation")
            }
            guard continuation.count <= maximumLength else {
                throw failure(
                    "has \(continuation.count) tokens",
                    "allowed: up to the model's \(limitKey), \(maximumLength)")
            }
            let tokens = context + continuation
            isTruncated = isTruncated || tokens.count > maximumLength + 1
            return TaskRequest(
                tokens: Array(tokens.suffix(maximumLength + 1)), continuationCount: continuation.count)
        }
        return EncodedDocument(document: document, requests: requests, isTruncated: isTruncated)
    }

    /// The ids of context and continuation. Blanks at the context's end move to the continuation. The continuation's
    /// ids are those of the whole text after as many ids as the context has alone.
    ///
    /// The tokens of a template precede a context, unless it begins with them. They stand in place of an empty context;
    /// without a template the end token does.
    func encode(context: String, continuation: String) throws -> (context: [Int32], continuation: [Int32]) {
        let scalars = context.unicodeScalars
        let blanks = scalars.reversed().prefix { Self.isPythonSpace($0) }.count
        let stem = String(scalars.dropLast(blanks))
        let leading = tokenizer.leadingTokens
        let whole = try tokenizer.encode(Array((context + continuation).utf8))
        guard !stem.isEmpty else {
            guard !leading.isEmpty else { return ([tokenizer.endToken], whole) }
            return (leading, whole.starts(with: leading) ? Array(whole.dropFirst(leading.count)) : whole)
        }
        let start = try tokenizer.encode(Array(stem.utf8))
        return (start.starts(with: leading) ? start : leading + start, Array(whole.dropFirst(start.count)))
    }

    /// Whether Python's `str.rstrip`, which the harness calls, removes the character.
    private static func isPythonSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }
}
