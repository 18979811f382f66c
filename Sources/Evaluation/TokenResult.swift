// TokenResult - one target of an evaluation, as `--per-token` writes it.

package import Reporting

/// One target of an evaluation.
package struct TokenResult {
    /// Number of the target in its domain, counted from 0.
    let position: Int
    let token: Int32
    let crossEntropy: Double
    let entropy: Double

    /// The line of `--per-token`.
    package var json: JSONValue {
        .object([
            ("position", .integer(position)), ("token", .integer(Int(token))), ("ce", .number(crossEntropy)),
            ("entropy", .number(entropy)),
        ])
    }
}
