// TokenizerFileError - why a tokenizer.json cannot be used, or a text not be encoded by it.

/// A `tokenizer.json` that is malformed, or that asks for something this program does not do.
package struct TokenizerFileError: Error, Equatable, CustomStringConvertible {
    /// The problem, which names the part of the file.
    package let problem: String
    /// The remedy.
    package let remedy: String

    init(_ problem: String, remedy: String = "give a tokenizer.json as the library tokenizers writes it") {
        self.problem = problem
        self.remedy = remedy
    }

    /// A part of the format that this program does not know, or does not do.
    static func unsupported(_ what: String) -> TokenizerFileError {
        TokenizerFileError(
            "\(what) is not supported",
            remedy: "encode the texts with the library that knows it, and train with data.tokenizer: none")
    }

    package var description: String { "\(problem); \(remedy)" }
}
