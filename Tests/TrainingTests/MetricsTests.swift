// MetricsTests - the rows of metrics.jsonl, and the file that they are appended to.

import Configuration
import Foundation
import Testing
import TestSupport

@testable import Evaluation
@testable import JobRuntime
@testable import Reporting
@testable import Training

@Suite struct MetricsTests {
    private static func row(step: Int = 7, loss: Double = 2.5, isSkipped: Bool = false) -> StepMetrics {
        StepMetrics(
            step: step, tokens: 1024, loss: loss, crossEntropy: 2.25, entropy: 2.125, alpha: 0.3, learningRate: 3e-4,
            gradientNorm: 1.5, stepSeconds: 0.25, tokensPerSecond: 4096, isSkipped: isSkipped)
    }

    // MARK: - Rows

    @Test func aTrainingRowHasTheKeysOfTheInterface() {
        #expect(
            Self.row().json.text
                == #"{"step": 7, "tokens": 1024, "loss": 2.5, "ce": 2.25, "entropy": 2.125, "alpha": 0.3, "#
                + #""lr": 0.0003, "grad_norm": 1.5, "step_seconds": 0.25, "tokens_per_second": 4096.0}"#)
    }

    /// The table has the numbers of a row with all their digits; other rows are not in it.
    @Test func aTrainingRowIsALineOfTheTable() throws {
        let folder = try TemporaryFolder()
        let directory = try RunDirectory(path: folder.path, host: "here")
        let metrics = try MetricsSinks([.jsonl, .csv], in: directory, after: 0) { Issue.record("\($0)") }
        var row = Self.row(loss: 0.1 + 0.2)
        row.rankSequences = [10]
        row.rankSeconds = [0.2]
        row.mixture = [("books", 1)]
        let result = EvaluationResult(domains: [.init(name: "a", sums: EvaluationSums())], hasFrequencies: false)
        for row in [row.json, result.json(step: 7), Self.row(step: 8, loss: .nan, isSkipped: true).json] {
            try metrics.append(row)
        }
        try metrics.finish()
        #expect(
            try folder.text("metrics.csv") == """
                step,tokens,loss,ce,entropy,alpha,lr,grad_norm,step_seconds,tokens_per_second
                7,1024,0.30000000000000004,2.25,2.125,0.3,0.0003,1.5,0.25,4096.0
                8,1024,,2.25,2.125,0.3,0.0003,1.5,0.25,4096.0

                """)
        #expect(try folder.text("metrics.jsonl").split(separator: "\n").count == 3)
    }

    @Test func aSkippedStepHasNullsAndSaysSo() throws {
        var row = Self.row(loss: .nan, isSkipped: true)
        row.gradientNorm = .infinity
        let object = try parse(row.json.text)
        #expect(object["loss"] is NSNull && object["grad_norm"] is NSNull)
        #expect(object["skipped"] as? Bool == true)
        #expect(object["ce"] as? Double == 2.25)
        #expect(object.count == 11)
    }

    @Test func aStepWithoutTargetsSaysSo() throws {
        var row = Self.row(loss: .nan, isSkipped: true)
        row.isWithoutTargets = true
        let object = try parse(row.json.text)
        #expect(object["loss"] is NSNull && object["skipped"] as? Bool == true && object["no_targets"] as? Bool == true)
        #expect(object.count == 12)
    }

    @Test func anEvaluationRowHasTheKeysOfTheInterface() {
        var books = EvaluationSums()
        for (ce, entropy) in [(1.0, 0.5), (2, 0.75), (3, 7)] {
            books.add(crossEntropy: ce, entropy: entropy, confidence: 0.5, isCorrect: ce == 1, frequency: 0)
        }
        var web = EvaluationSums()
        web.add(crossEntropy: 4, entropy: 2, confidence: 0.25, isCorrect: true, frequency: 2)
        var result = EvaluationResult(
            domains: [.init(name: "books", sums: books), .init(name: "web", sums: web)], hasFrequencies: true)
        // Total over total, not the mean of the domains. Confidence and accuracy are 1.5 and 1 in one bin, 1/4 and 1 in
        // another. No bytes were given.
        let start =
            #"{"step": 20, "validation_ce": 2.5, "domains": {"books": 2.0, "web": 4.0}, "uniform_mean": 3.0, "#
            + #""worst_ce": 4.0, "worst_domain": "web", "frequency": "#
        let end =
            #", "entropy": {"0-1": 1.5, "1-2": null, "2-3": 4.0, "3-4": null, "4-5": null, "5-6": null, "6+": 3.0}, "#
            + #""entropy_share": {"0-1": 0.5, "1-2": 0.0, "2-3": 0.25, "3-4": 0.0, "4-5": 0.0, "5-6": 0.0, "6+": 0.25}, "#
            + #""calibration_error": 0.3125, "bits_per_byte": null}"#
        #expect(result.json(step: 20).text == start + #"{"high": 2.0, "medium": null, "low": 4.0}"# + end)
        result.hasFrequencies = false
        #expect(result.json(step: 20).text == start + "null" + end)
    }

    @Test func anEvaluationWithoutTargetsIsNull() throws {
        let result = EvaluationResult(
            domains: [.init(name: "none", sums: EvaluationSums())], hasFrequencies: true)
        let object = try parse(result.json(step: 1).text)
        for key in ["validation_ce", "uniform_mean", "worst_ce", "worst_domain", "calibration_error", "bits_per_byte"] {
            #expect(object[key] is NSNull, "\(key)")
        }
        for key in ["domains", "frequency", "entropy", "entropy_share"] {
            let values = try #require(object[key] as? [String: Any])
            #expect(!values.isEmpty && values.values.allSatisfy { $0 is NSNull }, "\(key)")
        }
        #expect(object.count == 11)
    }

    @Test func aMixtureShowsWhereThereIsOne() {
        var row = Self.row()
        row.mixture = [("books", 0.75), ("web", 0.25)]
        #expect(row.json.text.hasSuffix(#""tokens_per_second": 4096.0, "mixture": {"books": 0.75, "web": 0.25}}"#))
    }

    /// Rows are recognised by how they begin.
    @Test func aMissingEvaluationIsFound() throws {
        let folder = try TemporaryFolder()
        let result = EvaluationResult(domains: [.init(name: "a", sums: EvaluationSums())], hasFrequencies: false)
        var row = Self.row()
        row.mixture = [("books", 1)]
        func lacks(_ rows: [JSONValue], step: Int = 7) throws -> Bool {
            let directory = try RunDirectory(path: folder.path, host: "here")
            let file = try MetricsFile(path: directory.metricsPath, holding: directory) { Issue.record("\($0)") }
            for row in rows { try file.append(row) }
            return try file.lacksEvaluation(step: step)
        }
        #expect(try !lacks([]))
        #expect(try !lacks([result.json(step: 7)]))
        // Rows of a later step were lost while the disk was full.
        #expect(try lacks([], step: 9))
        #expect(try lacks([row.json]))
        #expect(try lacks([result.json(step: 8)]))
        #expect(try !lacks([result.json(step: 7)]))
    }

    @Test func aSaveHasARowOfItsOwnKind() {
        let saved = SavedCheckpoint(
            step: 20, path: "runs/a/checkpoints/step-00000020", stallSeconds: 0.5, writeSeconds: 1.25,
            problems: [])
        #expect(
            saved.json.text
                == #"{"step": 20, "saved": "step-00000020", "stall_seconds": 0.5, "write_seconds": 1.25}"#)
    }

    private func parse(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    // MARK: - File

    private func append(_ rows: [JSONValue], in folder: TemporaryFolder) throws {
        let directory = try RunDirectory(path: folder.path, host: "here")
        let file = try MetricsFile(path: directory.metricsPath, holding: directory) { Issue.record("\($0)") }
        for row in rows { try file.append(row) }
    }

    @Test func rowsAreAppendedAcrossRuns() throws {
        let folder = try TemporaryFolder()
        try append([.integer(1), .integer(2)], in: folder)
        try append([.integer(3)], in: folder)
        #expect(try folder.text("metrics.jsonl") == "1\n2\n3\n")
    }

    @Test(arguments: [
        ("", ""), ("{\"step\": 1", ""), ("{\"step\": 1}\n", "{\"step\": 1}\n"),
        ("{\"step\": 1}\n{\"st", "{\"step\": 1}\n"), ("a\n\nb", "a\n\n"), ("\n", "\n"),
    ])
    func anUnfinishedLineIsCutOff(_ before: String, _ kept: String) throws {
        let folder = try TemporaryFolder()
        try folder.write(before, to: "metrics.jsonl")
        try append([.integer(9)], in: folder)
        #expect(try folder.text("metrics.jsonl") == kept + "9\n")
    }

    /// The end of the file is searched in pieces of 4,096 bytes: line breaks on both sides of their borders.
    @Test(arguments: [1, 4094, 4095, 4096, 4097, 8191, 8192, 8193, 20_000])
    func aLongUnfinishedLineIsCutOff(_ length: Int) throws {
        let folder = try TemporaryFolder()
        try folder.write("first\n" + String(repeating: "x", count: length), to: "metrics.jsonl")
        try append([.integer(9)], in: folder)
        #expect(try folder.text("metrics.jsonl") == "first\n9\n")
        try folder.write(String(repeating: "y", count: length) + "\n", to: "metrics.jsonl")
        try append([], in: folder)
        #expect(try folder.text("metrics.jsonl") == String(repeating: "y", count: length) + "\n")
    }

    @Test func aDirectoryInTheFilesPlaceIsAnError() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: folder.path("metrics.jsonl"), withIntermediateDirectories: false)
        let failure = #expect(throws: ProgramFailure.self) { try append([], in: folder) }
        #expect(failure?.status == .badInput)
        #expect(failure?.message.contains("metrics.jsonl") == true)
    }
}
