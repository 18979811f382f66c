// CSVMetricsFileTests - the table of training rows: its header, and its rows across starts and a full disk.

import Foundation
import TestSupport
import Testing

@testable import JobRuntime
@testable import Reporting

@Suite struct CSVMetricsFileTests {
    private static let header = "step,tokens,loss,ce,entropy,alpha,lr,grad_norm,step_seconds,tokens_per_second\n"

    /// A training row; its line in the table is ``line(_:)``.
    private static func row(_ step: Int, loss: Double = 1.0 / 3) -> JSONValue {
        .object([
            ("step", .integer(step)), ("tokens", .integer(64 * step)), ("loss", .number(loss)), ("ce", .number(2.5)),
            ("entropy", .number(2)), ("alpha", .number(1)), ("lr", .number(1e-5)), ("grad_norm", .number(.infinity)),
            ("step_seconds", .number(0.5)), ("tokens_per_second", .number(128)),
            ("ranks", .object([("sequences", .array([.integer(4)]))])),
        ])
    }

    private static func line(_ step: Int) -> String {
        "\(step),\(64 * step),0.3333333333333333,2.5,2.0,1.0,1e-05,,0.5,128.0\n"
    }

    private static func lines(_ steps: ClosedRange<Int>) -> String { steps.map(line).joined() }

    /// A start after `step` that appends the rows of `steps`.
    private func run(after step: Int, _ steps: ClosedRange<Int>, in folder: TemporaryFolder) throws {
        let directory = try RunDirectory(path: folder.path, host: "here")
        let file = try CSVMetricsFile(path: folder.path("metrics.csv"), after: step, holding: directory) {
            Issue.record("\($0)")
        }
        for step in steps { try file.append(Self.row(step)) }
        try file.finish()
    }

    @Test func rowsStandBelowAHeader() throws {
        let folder = try TemporaryFolder()
        try run(after: 0, 1...3, in: folder)
        #expect(try folder.text("metrics.csv") == Self.header + Self.lines(1...3))
    }

    @Test func rowsOfOtherKindsAreLeftOut() throws {
        let folder = try TemporaryFolder()
        let directory = try RunDirectory(path: folder.path, host: "here")
        let file = try CSVMetricsFile(path: folder.path("metrics.csv"), after: 0, holding: directory) {
            Issue.record("\($0)")
        }
        try file.append(.object([("step", .integer(1)), ("validation_ce", .number(2)), ("entropy", .object([]))]))
        try file.append(.object([("step", .integer(1)), ("saved", .string("step-00000001"))]))
        try file.append(.integer(1))
        try file.finish()
        #expect(try folder.text("metrics.csv") == "")
    }

    /// A table before a start after a step, and what stays of it.
    private static let starts: [(after: Int, before: String, kept: String)] = [
        (3, header + lines(1...3), lines(1...3)),
        // Rows of steps that are computed again.
        (3, header + lines(1...5), lines(1...3)),
        (0, header + lines(1...2), ""),
        // What a kill left of a line.
        (3, header + lines(1...3) + "4,256,0.33", lines(1...3)),
        (3, header + lines(1...5) + "6", lines(1...3)),
        (0, "step,tok", ""),
        (0, "", ""),
        // A table that has not all steps, because the sink was off for some.
        (9, header + lines(4...5), lines(4...5)),
    ]

    @Test(arguments: starts) func aStartGoesOnAfterItsStep(after: Int, before: String, kept: String) throws {
        let folder = try TemporaryFolder()
        try folder.write(before, to: "metrics.csv")
        let next = (after + 1)...(after + 2)
        try run(after: after, next, in: folder)
        #expect(try folder.text("metrics.csv") == Self.header + kept + Self.lines(next))
    }

    private static let otherTables: [(text: String, message: String)] = [
        ("a,b\n1,2\n", "metrics.csv:1: found \"a,b\"; allowed: the header \"step,tokens,"),
        ("\n", "metrics.csv:1: found \"\"; allowed: the header"),
        (header + line(1) + "x,1\n", "metrics.csv:3: found \"x,1\"; allowed: a row that begins with the number"),
    ]

    @Test(arguments: otherTables) func anotherTableIsLeftAlone(text: String, message: String) throws {
        let folder = try TemporaryFolder()
        try folder.write(text, to: "metrics.csv")
        let failure = #expect(throws: ProgramFailure.self) { try run(after: 5, 6...6, in: folder) }
        #expect(failure?.status == .badInput)
        #expect(failure?.message.contains(message) == true, "\(failure?.message ?? "")")
        #expect(failure?.message.hasSuffix("Move the file away, or leave csv out of logging.sinks.") == true)
        #expect(try folder.text("metrics.csv") == text)
    }

    @Test func aDirectoryInTheFilesPlaceIsAnError() throws {
        let folder = try TemporaryFolder()
        try folder.makeFolder("metrics.csv")
        let failure = #expect(throws: ProgramFailure.self) { try run(after: 0, 1...1, in: folder) }
        #expect(failure?.status == .badInput && failure?.message.contains("metrics.csv cannot be read") == true)
    }

    /// The header waits with the rows, is torn like one, and begins each file that takes the place of a removed one.
    @Test func theHeaderWaitsLikeARow() throws {
        let folder = try TemporaryFolder()
        let file = LimitedFile()
        var warnings: [String] = []
        let metrics = CSVMetricsFile(
            path: "here/metrics.csv", file: file, holding: try RunDirectory(path: folder.path, host: "here")
        ) { warnings.append($0) }
        file.limit(to: 5)
        for step in 1...2 { try metrics.append(Self.row(step)) }
        #expect(file.text == "step,")
        let failure = #expect(throws: ProgramFailure.self) { try metrics.finish() }
        // The header is no row that is lost.
        #expect(failure?.message.contains("Its last 2 rows are lost") == true, "\(failure?.message ?? "")")
        #expect(file.text == "")
        file.limit(to: .max)
        try metrics.append(Self.row(3))
        #expect(file.text == Self.header + Self.lines(1...3))
        file.remove()
        file.limit(to: 7)
        try metrics.append(Self.row(4))
        #expect(file.text == "step,to")
        file.remove()
        file.limit(to: .max)
        try metrics.append(Self.row(5))
        try metrics.finish()
        #expect(file.text == Self.header + Self.lines(4...5))
        #expect(warnings.count { $0.hasPrefix("here/metrics.csv was removed or replaced under this run.") } == 2)
        #expect(warnings.count { $0.hasPrefix("here/metrics.csv is written again, with the ") } == 2)
    }
}
