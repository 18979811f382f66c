// ScalarTests - numbers, booleans and text as YAML 1.1 and 1.2 and people write them.

import Testing

@testable import Configuration

@Suite struct ScalarTests {
    @Test(arguments: [
        ("1", 1), ("-7", -7), ("+3", 3), ("1_000", 1000), ("0x10", 16), ("-0xff", -255), ("0", 0),
        ("9223372036854775807", Int.max),
    ])
    func integers(text: String, value: Int) {
        #expect(YAMLNode.Scalar.interpret(text) == .integer(value))
    }

    @Test(arguments: [
        ("3.0e-4", 3e-4), ("1e-4", 1e-4), ("1E+4", 1e4), (".5", 0.5), ("-.5", -0.5), ("5.", 5), ("0.1", 0.1),
        ("1_000.5", 1000.5), (".inf", .infinity), ("-.inf", -.infinity), ("9223372036854775808", 9223372036854775808),
    ])
    func numbers(text: String, value: Double) {
        #expect(YAMLNode.Scalar.interpret(text) == .number(value))
    }

    @Test func notANumber() {
        guard case .number(let value) = YAMLNode.Scalar.interpret(".nan") else {
            Issue.record("not a number")
            return
        }
        #expect(value.isNaN)
    }

    @Test(arguments: [
        "yes", "no", "on", "off", "y", "tRue", "010", "1__0", "_1", "1_", "0x", "1e", "1e-", "e5", ".", "-", "1.2.3",
        "12:30:00", "0b11", "inf", "nan", "-.nan", "1 2", "\u{663}", "1\u{301}", "0x1.8p3",
    ])
    func text(text: String) {
        #expect(YAMLNode.Scalar.interpret(text) == .text(text))
    }

    @Test(arguments: ["", "~", "null", "Null", "NULL"])
    func null(text: String) {
        #expect(YAMLNode.Scalar.interpret(text) == .null)
    }

    @Test(arguments: [("true", true), ("True", true), ("FALSE", false)])
    func booleans(text: String, value: Bool) {
        #expect(YAMLNode.Scalar.interpret(text) == .boolean(value))
    }

    @Test func quotedWordsAreText() throws {
        let node = try #require(try YAMLNode.parse("['1', \"true\", '']", origin: Origin(file: "x", line: 1)))
        guard case .sequence(let elements) = node.content else {
            Issue.record("not a list")
            return
        }
        #expect(elements.map(\.found) == ["\"1\" (string)", "\"true\" (string)", "\"\" (string)"])
    }

    @Test(arguments: [
        ("90s", 90), ("30m", 1800), ("12h", 43_200), ("2d", 172_800), ("00:30:00", 1800), ("36:00:01", 129_601),
        ("1-12:00:00", 129_600), ("7-0:00:30", 604_830),
    ])
    func durations(text: String, seconds: Int) throws {
        #expect(TimeLimit.seconds(text) == seconds)
        // Unquoted in YAML too, where YAML 1.1 reads 36:00:01 as a number in base 60.
        let run = try Sample.load(Sample.text + "training: {time_limit: \(text)}\n")
        #expect(run.training.timeLimitSeconds == seconds)
    }

    @Test(arguments: [
        "90", "0s", "00:00:00", "30:00", "-5m", "1.5h", "1h30m", "00:60:00", "1-24:00:00", "1-12", "1-2-00:00:00", "s",
        "99999999999999999999s", " 90s", "90 s", "--1:00:00",
    ])
    func notDurations(text: String) {
        #expect(TimeLimit.seconds(text) == nil)
        #expect(
            Sample.message(adding: "training: {time_limit: '\(text)'}\n").contains(
                "training.time_limit: found \"\(text)\" (string), which is no duration; allowed: "))
    }

    @Test(arguments: [
        ("sequence", "sequences", 1), ("", "abc", 3), ("kitten", "sitting", 3), ("same", "same", 0), ("ab", "ba", 2),
    ])
    func editDistance(left: String, right: String, distance: Int) {
        #expect(Spelling.distance(left, right) == distance)
        #expect(Spelling.distance(right, left) == distance)
    }
}
