// JSONValueTests - JSON with keys in a chosen order and numbers that read back exactly.

import Foundation
import Testing
import TestSupport

@testable import Reporting

@Suite struct JSONValueTests {
    private func parse(_ value: JSONValue) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(value.text.utf8), options: [.fragmentsAllowed])
    }

    @Test func keysKeepTheirOrder() {
        let value = JSONValue.object([
            ("z", .integer(1)), ("a", .boolean(true)), ("m", .object([("b", .string("x")), ("a", .boolean(false))])),
        ])
        #expect(value.text == #"{"z": 1, "a": true, "m": {"b": "x", "a": false}}"#)
        #expect(JSONValue.object([]).text == "{}")
    }

    @Test(arguments: [
        (0.1 + 0.2, "0.30000000000000004"), (1e300, "1e+300"), (0, "0.0"), (-0.0, "-0.0"), (5, "5.0"), (-2.5, "-2.5"),
        (.leastNonzeroMagnitude, "5e-324"), (.greatestFiniteMagnitude, "1.7976931348623157e+308"),
    ])
    func numbersAreTheShortestThatReadBack(_ number: Double, _ text: String) {
        #expect(JSONValue.number(number).text == text)
    }

    @Test func subnormalNumbersKeepAllTheirDigits() throws {
        // Not written as literals: the compiler refuses those that lose precision.
        for text in ["1e-310", "1.2345678901234e-310", "2.225073858507201e-308"] {
            #expect(JSONValue.number(try #require(Double(text))).text == text)
        }
    }

    @Test func everyDoubleReadsBackExactly() throws {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<2000 {
            let number = Double(bitPattern: random.next())
            guard number.isFinite else { continue }
            let text = JSONValue.number(number).text
            #expect(Double(text)?.bitPattern == number.bitPattern)
            // JSON's grammar accepts it. That parser rounds some numbers wrongly, so it is no judge of their value.
            #expect(try parse(.number(number)) is NSNumber, "\(text)")
        }
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity])
    func whatIsNotFiniteIsNull(_ number: Double) { #expect(JSONValue.number(number).text == "null") }

    @Test func integersAreWhole() {
        #expect(JSONValue.integer(.max).text == "9223372036854775807")
        #expect(JSONValue.integer(-3).text == "-3")
    }

    @Test(arguments: [
        ("plain", #""plain""#), ("", #""""#), ("say \"hi\"", #""say \"hi\"""#), (#"C:\x"#, #""C:\\x""#),
        ("a\nb\rc\td", #""a\nb\rc\td""#), ("\u{0}\u{1}\u{1F}", #""\u0000\u0001\u001f""#), ("\r\n", #""\r\n""#),
        ("\u{17C}\u{F3}\u{142}\u{107} \u{1F600}", "\"\u{17C}\u{F3}\u{142}\u{107} \u{1F600}\""), ("/", #""/""#),
        ("e\u{301}", "\"e\u{301}\""), ("\u{7F}\u{2028}", "\"\u{7F}\u{2028}\""),
    ])
    func stringsAreEscaped(_ string: String, _ text: String) throws {
        #expect(Array(JSONValue.string(string).text.utf8) == Array(text.utf8))
        let parsed = try #require(try parse(.string(string)) as? String)
        #expect(Array(parsed.unicodeScalars) == Array(string.unicodeScalars))
    }

    @Test func keysAreEscapedToo() throws {
        let value = JSONValue.object([("a \"b\"\n", .integer(1))])
        #expect(value.text == #"{"a \"b\"\n": 1}"#)
        let parsed = try #require(try parse(value) as? [String: Int])
        #expect(parsed == ["a \"b\"\n": 1])
    }

    @Test func aValueIsOneLine() {
        let value = JSONValue.object([("text", .string("a\nb")), ("n", .number(1e300))])
        #expect(!value.text.contains("\n"))
    }

    @Test func equalityIsThatOfTheText() {
        #expect(JSONValue.number(.nan) == JSONValue.number(.nan))
        #expect(
            JSONValue.object([("a", .integer(1)), ("b", .integer(2))])
                != .object([("b", .integer(2)), ("a", .integer(1))]))
        #expect(JSONValue.integer(1) != .number(1))
    }
}
