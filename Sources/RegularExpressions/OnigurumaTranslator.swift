// OnigurumaTranslator - patterns of Oniguruma's Ruby syntax as patterns of PCRE2.

/// Reads a pattern of Oniguruma's Ruby syntax, and writes one of PCRE2 with the same matches.
///
/// Patterns of tokenizers are written for Oniguruma. Where the two differ, the pattern is rewritten. Where it cannot be
/// rewritten, it is refused.
struct OnigurumaTranslator {
    private let pattern: [Unicode.Scalar]
    private var position = 0
    private var depth = 0

    /// Deepest nesting of groups.
    private static let deepest = 50
    /// Longest translation in bytes. Why: two bytes such as `\b` become tens of kilobytes of ranges.
    private static let longest = 1 << 20

    init(_ pattern: String) { self.pattern = Array(pattern.unicodeScalars) }

    /// The pattern of PCRE2.
    ///
    /// - Throws: for what is not supported, by its name.
    mutating func translated() throws(RegularExpressionError) -> String {
        let result = try alternatives(isCaseless: false)
        guard position == pattern.count else { throw refusal("a parenthesis closes no group") }
        return result
    }

    private func refusal(_ problem: String) -> RegularExpressionError {
        RegularExpressionError("\(problem) (character \(position + 1) of the pattern)")
    }

    private var next: Unicode.Scalar? { position < pattern.count ? pattern[position] : nil }

    private func starts(with text: String) -> Bool {
        pattern[position...].starts(with: text.unicodeScalars)
    }

    private mutating func take(_ text: String) -> Bool {
        guard starts(with: text) else { return false }
        position += text.unicodeScalars.count
        return true
    }

    // MARK: - Groups

    private mutating func alternatives(isCaseless: Bool) throws(RegularExpressionError) -> String {
        var result = ""
        // The literal before, which can form one folded character with the next.
        var previous: Unicode.Scalar?
        while let scalar = next, scalar != ")" {
            if scalar == "|" {
                position += 1
                result += "|"
                previous = nil
                continue
            }
            let start = position
            let (term, literal) = try term(isCaseless: isCaseless)
            if isCaseless, let literal {
                if Self.isFolded(previous, literal) {
                    position = start
                    throw refusal(
                        "letters that are one letter in another case, such as ss, are not supported after (?i)")
                }
            }
            let quantified = try quantifier(of: term)
            previous = quantified == term ? literal : nil
            result += quantified
            try requireLength(of: result)
        }
        return result
    }

    private func requireLength(of translation: String) throws(RegularExpressionError) {
        guard translation.utf8.count <= Self.longest else {
            throw refusal("the pattern has too many sets of characters")
        }
    }

    /// Whether two letters have one character that stands for both in another case.
    private static func isFolded(_ first: Unicode.Scalar?, _ second: Unicode.Scalar) -> Bool {
        guard let first else { return false }
        let pair = String(String.UnicodeScalarView([first, second])).lowercased()
        return ["ss", "st", "ff", "fi", "fl"].contains(pair)
    }

    /// One term without quantifier, and the literal that it is, if it is one.
    private mutating func term(
        isCaseless: Bool
    ) throws(RegularExpressionError) -> (text: String, literal: Unicode.Scalar?) {
        guard let scalar = next else { throw refusal("the pattern ends too early") }
        switch scalar {
        case "(": return (try group(isCaseless: isCaseless), nil)
        case "[":
            position += 1
            return (try brackets(isCaseless: isCaseless), nil)
        case "\\": return try escape(isCaseless: isCaseless)
        case ".", "^", "$":
            position += 1
            return (String(scalar), nil)
        case "*", "+", "?": throw refusal("the quantifier \(scalar) follows nothing that can be repeated")
        default:
            position += 1
            return (try literal(scalar, isCaseless: isCaseless), scalar)
        }
    }

    private func literal(_ scalar: Unicode.Scalar, isCaseless: Bool) throws(RegularExpressionError) -> String {
        guard !isCaseless || scalar.isASCII else {
            throw refusal("characters outside ASCII are not supported after (?i)")
        }
        return Self.spelled(scalar)
    }

    /// A character by itself, or by its number where it could mean something.
    fileprivate static func spelled(_ scalar: Unicode.Scalar) -> String {
        let isPlain = scalar.isASCII && (Character(scalar).isLetter || Character(scalar).isNumber)
        return isPlain ? String(scalar) : "\\x{" + String(scalar.value, radix: 16) + "}"
    }

    private mutating func group(isCaseless: Bool) throws(RegularExpressionError) -> String {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.deepest else { throw refusal("groups are nested more than \(Self.deepest) deep") }
        position += 1
        guard next == "?" else {
            let inner = try alternatives(isCaseless: isCaseless)
            return "(?:" + inner + (try closing())
        }
        for opening in ["?:", "?=", "?!", "?>", "?<=", "?<!"] where take(opening) {
            let inner = try alternatives(isCaseless: isCaseless)
            return "(" + opening + inner + (try closing())
        }
        // Options: (?i), (?-i), (?i:...). (?m) would be PCRE2's (?s).
        position += 1
        var (isOn, caseless) = (true, isCaseless)
        while let scalar = next, scalar != ":", scalar != ")" {
            switch scalar {
            case "i": caseless = isOn
            case "-": isOn = false
            default: throw refusal("the group (?\(scalar) is not supported")
            }
            position += 1
        }
        let option = caseless ? "(?i:" : "(?-i:"
        if take(":") {
            let inner = try alternatives(isCaseless: caseless)
            return option + inner + (try closing())
        }
        guard take(")") else { throw refusal("a group does not end") }
        // Ruby's option holds for the rest of the group, its alternatives included.
        return option + (try alternatives(isCaseless: caseless)) + ")"
    }

    private mutating func closing() throws(RegularExpressionError) -> String {
        guard take(")") else { throw refusal("a group does not end") }
        return ")"
    }

    // MARK: - Quantifiers

    /// `term` with the quantifier that follows, if one does.
    private mutating func quantifier(of term: String) throws(RegularExpressionError) -> String {
        guard let scalar = next else { return term }
        var result = term
        if ["*", "+", "?"].contains(scalar) {
            position += 1
            result.unicodeScalars.append(scalar)
            if let suffix = next, suffix == "?" || suffix == "+" {
                position += 1
                result.unicodeScalars.append(suffix)
            }
        } else if scalar == "{", let interval = interval() {
            result += "{\(interval.least),\(interval.most.map(String.init) ?? "")}"
            if next == "?" {
                guard !interval.isFixed else { throw refusal("the quantifier {n}? is not supported") }
                position += 1
                result += "?"
            } else if next == "+" {
                // In Ruby's syntax {n,m}+ repeats the interval.
                position += 1
                result = "(?:" + result + ")+"
            }
        } else {
            return term
        }
        if let another = next, ["*", "+", "?"].contains(another) { throw refusal("a quantifier of a quantifier") }
        if next == "{" {
            let start = position
            if interval() != nil { throw refusal("a quantifier of a quantifier") }
            position = start
        }
        return result
    }

    /// Reads `{n}`, `{n,}`, `{n,m}` or `{,m}`; nil, reading nothing, for a brace that is itself.
    private mutating func interval() -> (least: Int, most: Int?, isFixed: Bool)? {
        let start = position
        position += 1
        let first = number()
        if take("}"), let first { return (first, first, true) }
        if take(",") {
            let second = number()
            if first != nil || second != nil, take("}") { return (first ?? 0, second, false) }
        }
        position = start
        return nil
    }

    private mutating func number() -> Int? {
        var digits = ""
        while let scalar = next, ("0"..."9").contains(scalar), digits.count < 6 {
            digits.unicodeScalars.append(scalar)
            position += 1
        }
        return Int(digits)
    }

    // MARK: - Escapes

    /// A character, or a set of characters, that an escape stands for.
    private enum Escaped {
        case character(Unicode.Scalar)
        /// Members of a bracket expression.
        case members(String)
    }

    /// Reads an escape outside of brackets.
    private mutating func escape(
        isCaseless: Bool
    ) throws(RegularExpressionError) -> (text: String, literal: Unicode.Scalar?) {
        if position + 1 < pattern.count {
            let letter = pattern[position + 1]
            var word: String { "[" + CharacterSet.word.members + "]" }
            let simple: String? =
                switch letter {
                case "A", "z", "Z": "\\" + String(letter)
                case "b": "(?:(?<=\(word))(?!\(word))|(?<!\(word))(?=\(word)))"
                case "B": "(?:(?<=\(word))(?=\(word))|(?<!\(word))(?!\(word)))"
                case "R": "(?>\\x{d}\\x{a}|[\\x{a}-\\x{d}\\x{85}\\x{2028}\\x{2029}])"
                default: nil
                }
            if let simple {
                position += 2
                return (simple, nil)
            }
        }
        switch try escaped(isCaseless: isCaseless) {
        case .character(let scalar): return (try literal(scalar, isCaseless: isCaseless), scalar)
        case .members(let text): return ("[" + text + "]", nil)
        }
    }

    /// Reads an escape that is a character or a set of characters, inside or outside of brackets.
    private mutating func escaped(isCaseless: Bool) throws(RegularExpressionError) -> Escaped {
        position += 1
        guard let letter = next else { throw refusal("the pattern ends with a backslash") }
        position += 1
        let characters: [Unicode.Scalar: Unicode.Scalar] = [
            "t": "\t", "n": "\n", "r": "\r", "f": "\u{C}", "v": "\u{B}", "a": "\u{7}", "e": "\u{1B}",
        ]
        if let character = characters[letter] { return .character(character) }
        switch letter {
        case "s": return .members(CharacterSet.space.members)
        case "S": return .members(CharacterSet.space.inverted.members)
        case "d": return .members(try UnicodeProperty("Nd").members)
        case "D": return .members(try UnicodeProperty("Nd").otherMembers())
        case "w": return .members(CharacterSet.word.members)
        case "W": return .members(CharacterSet.word.inverted.members)
        case "h": return .members(CharacterSet.hexadecimalDigits.members)
        case "H": return .members(CharacterSet.hexadecimalDigits.inverted.members)
        case "p", "P": return .members(try property(isInverted: letter == "P", isCaseless: isCaseless))
        case "x":
            if take("{") {
                let scalar = try hexadecimal(1...8)
                guard take("}") else { throw refusal("\\x{ does not end") }
                return .character(scalar)
            }
            let scalar = try hexadecimal(1...2)
            guard scalar.isASCII else { throw refusal("\\x with a number above 7F stands for a byte: write \\x{...}") }
            return .character(scalar)
        case "u": return .character(try hexadecimal(4...4))
        default:
            let isWord = letter.isASCII && (Character(letter).isLetter || Character(letter).isNumber)
            guard !isWord else {
                position -= 1
                throw refusal("the escape \\\(letter) is not supported")
            }
            return .character(letter)
        }
    }

    private mutating func hexadecimal(_ counts: ClosedRange<Int>) throws(RegularExpressionError) -> Unicode.Scalar {
        var digits = ""
        while digits.count < counts.upperBound, let scalar = next, scalar.isASCII, Character(scalar).isHexDigit {
            digits.unicodeScalars.append(scalar)
            position += 1
        }
        guard digits.count >= counts.lowerBound, let code = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(code)
        else { throw refusal("an escape has no hexadecimal number of a character") }
        return scalar
    }

    /// Reads the `{...}` of a property.
    private mutating func property(isInverted: Bool, isCaseless: Bool) throws(RegularExpressionError) -> String {
        guard take("{") else { throw refusal("\\p needs a name in braces") }
        var isInverted = isInverted
        if take("^") { isInverted.toggle() }
        var name = ""
        while let scalar = next, scalar != "}", name.count < 64 {
            name.unicodeScalars.append(scalar)
            position += 1
        }
        guard take("}") else { throw refusal("\\p{ does not end") }
        let property = try UnicodeProperty(name)
        guard !isCaseless || !property.dependsOnCase else {
            throw refusal("\\p{\(name)} is not supported after (?i)")
        }
        return isInverted ? try property.otherMembers() : property.members
    }

    // MARK: - Brackets

    /// Reads a bracket expression whose opening bracket has been read.
    private mutating func brackets(isCaseless: Bool) throws(RegularExpressionError) -> String {
        var result = take("^") ? "[^" : "["
        // A first closing bracket is a character.
        var isFirst = true
        while let scalar = next, scalar != "]" || isFirst {
            isFirst = false
            try requireLength(of: result)
            switch try member(isCaseless: isCaseless) {
            case .members(let text): result += text
            case .character(let first):
                // A hyphen before the closing bracket is a character.
                guard next == "-", position + 1 < pattern.count, pattern[position + 1] != "]" else {
                    result += try literal(first, isCaseless: isCaseless)
                    continue
                }
                position += 1
                guard case .character(let last) = try member(isCaseless: isCaseless) else {
                    throw refusal("a range ends with a set of characters")
                }
                guard first <= last else { throw refusal("a range ends before it begins") }
                result += try literal(first, isCaseless: isCaseless) + "-" + literal(last, isCaseless: isCaseless)
            }
        }
        guard take("]") else { throw refusal("a bracket expression does not end") }
        return result + "]"
    }

    private mutating func member(isCaseless: Bool) throws(RegularExpressionError) -> Escaped {
        guard let scalar = next else { throw refusal("a bracket expression does not end") }
        if starts(with: "&&") { throw refusal("the intersection && of sets is not supported") }
        if take("[:") {
            let isInverted = take("^")
            let sets = [
                "alpha": CharacterSet.alphabetic, "space": .space, "word": .word, "xdigit": .hexadecimalDigits,
            ]
            for (name, set) in sets where take(name + ":]") {
                return .members(isInverted ? set.inverted.members : set.members)
            }
            if take("digit:]") {
                let property = try UnicodeProperty("Nd")
                return .members(isInverted ? try property.otherMembers() : property.members)
            }
            throw refusal("the set in [: :] is not supported")
        }
        if scalar == "[" { throw refusal("brackets in brackets are not supported") }
        if scalar == "\\" {
            // In brackets \b is a backspace.
            if take("\\b") { return .character("\u{8}") }
            return try escaped(isCaseless: isCaseless)
        }
        position += 1
        return .character(scalar)
    }
}
