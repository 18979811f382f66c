// TokenizerFileError - why a tokenizer.json cannot be used, or a text not be encoded by it.

/// A `tokenizer.json` that is malformed, or that asks for something this program does not do.
package struct TokenizerFileError: Error, Equatable, CustomStringConvertible {
    /// The problem, which names the part of the file.
    package let problem: String
    /// The remedy.
    package let remedy: String

    init(_ problem: String, remedy: String = "give a tokenizer.json as the library tokenizers writes it") {
        self.problem = Self.shown(problem)
        self.remedy = remedy
    }

    /// Longest problem in characters.
    private static let longestProblem = 400

    /// A problem on one line, shortened. Why: it may quote an untrusted file, and terminals obey control characters.
    private static func shown(_ problem: String) -> String {
        let scalars = problem.unicodeScalars
        let shown = scalars.prefix(longestProblem).map { $0.properties.generalCategory == .control ? "?" : String($0) }
        return shown.joined() + (scalars.count > longestProblem ? "..." : "")
    }

    /// A part of the format that this program does not know, or does not do.
    static func unsupported(_ what: String) -> TokenizerFileError {
        TokenizerFileError(
            "\(what) is not supported",
            remedy: "encode the texts with the library that knows it, and train with data.tokenizer: none")
    }

    /// A text that is longer than ``PieceList/longestText``, or becomes so.
    static var tooLong: TokenizerFileError {
        TokenizerFileError(
            "a text has more than \(PieceList.longestText >> 20) MiB, or becomes so long by the tokenizer's replacements",
            remedy: "cut the text into shorter documents")
    }

    package var description: String { "\(problem); \(remedy)" }
}
