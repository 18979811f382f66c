// RegularExpressionError - why a pattern cannot be used, or a text not be searched.

/// A pattern that is not understood, or one that takes too long for a text.
package struct RegularExpressionError: Error, Equatable, CustomStringConvertible {
    package let problem: String

    init(_ problem: String) { self.problem = problem }

    package var description: String { problem }
}
