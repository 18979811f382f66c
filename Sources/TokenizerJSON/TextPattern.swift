// TextPattern - what Split and Replace look for: a text, or a regular expression.

internal import RegularExpressions

/// A pattern of `Split` or `Replace`.
enum TextPattern: Sendable {
    /// A text of at least one byte.
    case text([UInt8])
    case expression(RegularExpression)

    /// Calls `body` with each match in `text[range]`, in order.
    ///
    /// - Throws: ``TokenizerFileError`` where a match takes too long.
    func forEachMatch(
        in text: [UInt8], _ range: Range<Int>, _ matcher: RegularExpression.Matcher?, _ body: (Range<Int>) -> Void
    ) throws(TokenizerFileError) {
        switch self {
        case .text(let wanted):
            var index = range.lowerBound
            let first = wanted[0]
            while index + wanted.count <= range.upperBound {
                if text[index] == first, wanted.indices.allSatisfy({ text[index + $0] == wanted[$0] }) {
                    body(index..<index + wanted.count)
                    index += wanted.count
                } else {
                    index += 1
                }
            }
        case .expression:
            guard let matcher else { preconditionFailure("an expression without its matcher") }
            do { try matcher.forEachMatch(in: text, range, body) } catch {
                throw TokenizerFileError(
                    "a regular expression of the tokenizer takes too long for a text: \(error.problem)",
                    remedy: "cut the text into shorter documents, or use another tokenizer")
            }
        }
    }

    /// Calls `body` with the matcher of an expression, nil for a text.
    func withMatcher<Result>(
        _ body: (RegularExpression.Matcher?) throws(TokenizerFileError) -> Result
    ) throws(TokenizerFileError) -> Result {
        switch self {
        case .text: return try body(nil)
        case .expression(let expression):
            return try expression.withMatcher { matcher throws(TokenizerFileError) in try body(matcher) }
        }
    }

    /// `text` with `content` for each match, and the number of bytes of a match at its start.
    ///
    /// - Parameter longest: longest result in bytes.
    /// - Throws: ``TokenizerFileError`` for a longer result, and where a match takes too long.
    func replacing(
        _ text: [UInt8], with content: [UInt8], longest: Int = PieceList.longestText
    ) throws(TokenizerFileError) -> (text: [UInt8], leadingMatch: Int) {
        guard !text.isEmpty else { return (text, 0) }
        return try withMatcher { matcher throws(TokenizerFileError) in
            var result: [UInt8] = []
            result.reserveCapacity(text.count + 16)
            var last = 0
            var leading = 0
            try forEachMatch(in: text, 0..<text.count, matcher) { match in
                // A result that is too long grows no further.
                guard result.count <= longest else { return }
                if match.lowerBound == 0 { leading = match.count }
                result += text[last..<match.lowerBound]
                result += content
                last = match.upperBound
            }
            result += text[last...]
            guard result.count <= longest else { throw .tooLong }
            return (result, leading)
        }
    }
}
