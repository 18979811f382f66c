// RegularExpressionTests - Oniguruma's Ruby syntax by PCRE2: matches, differences of the two, hostile patterns.

import Testing

@testable import RegularExpressions

@Suite struct RegularExpressionTests {
    private func matches(_ pattern: String, _ text: String) throws -> [String] {
        let expression = try RegularExpression(oniguruma: pattern)
        let bytes = Array(text.utf8)
        var found: [String] = []
        try expression.withMatcher { matcher throws(RegularExpressionError) in
            try matcher.forEachMatch(in: bytes, 0..<bytes.count) { match in
                found.append(String(decoding: bytes[match], as: UTF8.self))
            }
        }
        return found
    }

    private func refusal(_ pattern: String) -> String {
        do {
            _ = try RegularExpression(oniguruma: pattern)
            return "none"
        } catch { return error.problem }
    }

    @Test func gpt2sPatternCutsWords() throws {
        let pattern = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
        #expect(
            try matches(pattern, "It's  12 é中!\n\n x") == ["It", "'s", " ", " 12", " é中", "!", "\n\n", " x"])
    }

    @Test func syntaxThatDiffersIsRewritten() throws {
        // \h is a hexadecimal digit, (?m) of Ruby lets a point match line feeds, ^ is the start of each line.
        #expect(try matches(#"\h+"#, "xyz1fg") == ["1f"])
        #expect(try matches("^a", "a\na") == ["a", "a"])
        // U+180E is no blank, though PCRE2 takes it for one.
        #expect(try matches(#"\s"#, "\u{180E}\u{2028}\u{85}") == ["\u{2028}", "\u{85}"])
        // {n,m}+ repeats an interval; it is not possessive.
        #expect(try matches(#"(?:a{1,2}+)b"#, "aaaab") == ["aaaab"])
        // An option holds for the alternatives behind it.
        #expect(try matches("x(?i)a|b", "xB B") == ["xB"])
        #expect(try matches(#"[\d-]+"#, "1-2a") == ["1-2"])
        #expect(try matches("(?i:'s|'t)", "'S'ſ't") == ["'S", "'ſ", "'t"])
        #expect(try matches("a{,2}b", "aab") == ["aab"])
    }

    @Test func propertiesAreOfUnicode16OnAnyMachine() throws {
        // U+1C89 is a letter since 16.0, U+10940 since 17.0.
        #expect(try matches(#"\p{L}+"#, "\u{1C89}\u{10940}\u{2EBF0}") == ["\u{1C89}", "\u{2EBF0}"])
        #expect(try matches(#"[^\p{L}]+"#, "a\u{1C89}\u{10940}") == ["\u{10940}"])
        #expect(try matches(#"[\P{L}]+"#, "a1b\u{1C89}") == ["1"])
        #expect(try matches(#"\p{Han}+"#, "a中b\u{2EBF0}") == ["中", "\u{2EBF0}"])
    }

    @Test func emptyMatchesFollowTheLibrary() throws {
        #expect(try matches("a*", "baac") == ["", "aa", ""])
        #expect(try matches("x*", "") == [])
    }

    @Test(arguments: [
        ("[a&&b]", "the intersection && of sets is not supported"),
        ("[a[b]]", "brackets in brackets are not supported"),
        (#"\Xa"#, "the escape \\X is not supported"), (#"(a)\1"#, "the escape \\1 is not supported"),
        ("(?x: a)", "the group (?x is not supported"), ("(?m:.)", "the group (?m is not supported"),
        (#"\p{Nonsense}"#, "the property \\p{Nonsense} is not known"),
        ("(?i)maße", "characters outside ASCII are not supported after (?i)"),
        ("(?i)ss", "letters that are one letter in another case, such as ss, are not supported after (?i)"),
        ("a**", "a quantifier of a quantifier"), ("(a", "a group does not end"),
        ("a)", "a parenthesis closes no group"),
        ("[a", "a bracket expression does not end"), ("+", "the quantifier + follows nothing that can be repeated"),
    ])
    func otherSyntaxIsRefusedByName(pattern: String, words: String) {
        #expect(refusal(pattern).hasPrefix(words), "\(refusal(pattern))")
    }

    @Test func hostilePatternsEndWithAnError() throws {
        #expect(refusal(String(repeating: "(", count: 1000)).contains("nested more than 50 deep"))
        #expect(refusal(String(repeating: "a", count: 20_000)).contains("more than 16384 bytes"))
        // Each \b and each \w stands for kilobytes of ranges.
        for part in [#"\b"#, #"\w"#] {
            let many = String(repeating: part, count: 8000)
            #expect(refusal(many).hasPrefix("the pattern has too many sets of characters"))
            #expect(refusal("[\(many)]").hasPrefix("the pattern has too many sets") == (part == #"\w"#))
        }
        #expect(throws: RegularExpressionError.self) {
            _ = try matches(#"(?:a+)+\z"#, String(repeating: "a", count: 60) + "!")
        }
    }
}
