// TaskRequest - a context and its continuation as token ids, encoded and cut as lm-evaluation-harness does.

internal import TokenData
internal import InputFiles
internal import Tokenizers

/// The tokens whose log-likelihood is wanted, and those before them. Equal requests are computed once.
struct TaskRequest: Hashable, Sendable {
    /// Context and continuation: at most one token more than the model's `max_position_embeddings`, of which the last one
    /// is predicted only.
    let tokens: [Int32]
    /// How many of the last tokens are the continuation.
    let continuationCount: Int

    /// An order in which the longest come first: batches of similar lengths waste little on padding, and memory does not
    /// run out at the end. Total, so that every rank cuts the same batches.
    static func isBefore(_ a: TaskRequest, _ b: TaskRequest) -> Bool {
        if a.tokens.count != b.tokens.count { return a.tokens.count > b.tokens.count }
        if a.tokens != b.tokens { return a.tokens.lexicographicallyPrecedes(b.tokens) }
        return a.continuationCount < b.continuationCount
    }
}

/// A document ready to be scored.
struct EncodedDocument: Sendable {
    let document: TaskDocument
    /// In the order of the document's choices.
    let requests: [TaskRequest]
    /// Whether a context lost tokens at its start.
    let isTruncated: Bool
}

/// Encodes as the harness's `_encode_pair` and `_loglikelihood_tokens` do for a causal model whose tokenizer adds no BOS
/// token, because this program trains without one.
struct TaskEncoder {
    let tokenizer: any Tokenizers.Tokenizer
    /// The model's `max_position_embeddings`.
    let maximumLength: Int

    /// - Throws: ``DataError`` naming file and line for a continuation that has no tokens of its own or more than the model
    ///   has positions; the harness stops there too.
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
                    "allowed: up to the model's max_position_embeddings, \(maximumLength)")
            }
            let tokens = context + continuation
            isTruncated = isTruncated || tokens.count > maximumLength + 1
            return TaskRequest(
                tokens: Array(tokens.suffix(maximumLength + 1)), continuationCount: continuation.count)
        }
        return EncodedDocument(document: document, requests: requests, isTruncated: isTruncated)
    }

    /// Blanks at the end of the context move to the continuation; the continuation's ids are those that the whole text has
    /// behind as many as the context has alone. An empty context is the token that ends documents.
    func encode(context: String, continuation: String) throws -> (context: [Int32], continuation: [Int32]) {
        let scalars = context.unicodeScalars
        let blanks = scalars.reversed().prefix { Self.isPythonSpace($0) }.count
        let stem = String(scalars.dropLast(blanks))
        guard !stem.isEmpty else {
            return ([tokenizer.endToken], try tokenizer.encode(Array((context + continuation).utf8)))
        }
        let start = try tokenizer.encode(Array(stem.utf8))
        let whole = try tokenizer.encode(Array((context + continuation).utf8))
        return (start, Array(whole.dropFirst(start.count)))
    }

    /// What Python's `str.rstrip` removes: the harness calls it.
    private static func isPythonSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }
}
