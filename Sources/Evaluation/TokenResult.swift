// TokenResult - one target of an evaluation, as `--per-token` writes it.

package import Reporting

/// The loss and entropy of one target.
package struct TokenResult {
    /// Index of the target in its domain, from 0.
    let targetIndex: Int
    let token: Int32
    let crossEntropy: Double
    let entropy: Double

    /// The line of `--per-token`.
    package var json: JSONValue {
        .object([
            ("position", .integer(targetIndex)), ("token", .integer(Int(token))), ("ce", .number(crossEntropy)),
            ("entropy", .number(entropy)),
        ])
    }
}
