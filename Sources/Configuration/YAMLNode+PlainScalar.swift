// YAMLNode+PlainScalar - the values of unquoted words.

extension YAMLNode.Scalar {
    /// Reads an unquoted scalar.
    ///
    /// YAML 1.1 and 1.2 disagree on plain words. Each word has the value that both give it, or that users expect:
    /// - null is `~`, `null` or nothing; a boolean is `true` or `false` (also `True`, `TRUE`, ...). `yes`, `no`, `on`
    ///   and `off` are text.
    /// - An integer is decimal digits, or `0x` and hexadecimal digits. A sign and `_` between digits are allowed.
    /// - A decimal integer with leading zeros is text. Why: `010` is 8 in YAML 1.1 and 10 in YAML 1.2.
    /// - A number has digits on either side of the point, or on both, and perhaps an exponent: `3.0e-4`, `1e-4`, `.5`.
    /// - `.inf` and `.nan` are numbers. Every key refuses them.
    /// - Everything else is text: `12:30:00` is a time, not a number in base 60.
    static func interpret(_ plain: String) -> YAMLNode.Scalar {
        switch plain {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .boolean(true)
        case "false", "False", "FALSE": return .boolean(false)
        default: return number(plain) ?? .text(plain)
        }
    }

    private static func number(_ plain: String) -> YAMLNode.Scalar? {
        var digits = Substring(plain)
        let negative = digits.first == "-"
        if negative || digits.first == "+" { digits.removeFirst() }
        switch digits {
        case ".inf", ".Inf", ".INF": return .number(negative ? -Double.infinity : .infinity)
        case ".nan", ".NaN", ".NAN": return digits.count == plain.count ? .number(.nan) : nil
        default: break
        }
        guard let digits = withoutSeparators(digits) else { return nil }
        let sign = negative ? "-" : ""
        if digits.hasPrefix("0x") {
            return Int(sign + digits.dropFirst(2), radix: 16).map { .integer($0) }
        }
        guard isDecimal(digits) else { return nil }
        // Beyond Int's range an integer is still a number, too large for any key.
        return Int(sign + digits).map { .integer($0) } ?? Double(sign + digits).map { .number($0) }
    }

    /// `digits` without `_`, or nil if one stands anywhere but between two digits.
    private static func withoutSeparators(_ digits: Substring) -> String? {
        guard digits.contains("_") else { return String(digits) }
        let parts = digits.split(separator: "_", omittingEmptySubsequences: false)
        for (left, right) in zip(parts, parts.dropFirst()) {
            guard let before = left.last, let after = right.first, before.isHexDigit, after.isHexDigit else {
                return nil
            }
        }
        return parts.joined()
    }

    /// Whether `text` is digits, a point between or beside them, and an exponent, without needless leading zeros.
    private static func isDecimal(_ text: String) -> Bool {
        let parts = text.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "e" || $0 == "E" }
        if parts.count == 2 {
            let exponent = parts[1].first.map { $0 == "+" || $0 == "-" } == true ? parts[1].dropFirst() : parts[1]
            if exponent.isEmpty || !exponent.allSatisfy(isDigit) { return false }
        }
        let mantissa = parts[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        if mantissa.joined().isEmpty || !mantissa.joined().allSatisfy(isDigit) { return false }
        return !(mantissa[0].count > 1 && mantissa[0].first == "0")
    }

    private static func isDigit(_ character: Character) -> Bool { character.isASCII && character.isWholeNumber }
}
