// RunRecordTests - the rows and the configuration that are read from a run directory.

import Configuration
import Testing
import TestSupport

@testable import Reporting
@testable import RunComparison

@Suite struct RunRecordTests {
    private static let training = #"{"step": 1, "tokens": 64, "loss": 2.0, "ce": 1.75, "lr": 0.1}"#
    private static let evaluation = """
        {"step": 2, "validation_ce": 1.5, "domains": {"b": 1.25, "a": null}, "uniform_mean": 1.4, "worst_ce": 2.5, \
        "worst_domain": "b", "frequency": {"low": 3.5, "high": 0.1}, "entropy": {"6+": 4.0, "0-1": 0.30000000000000004}, \
        "entropy_share": {"0-1": 0.875, "6+": 0.125}, "calibration_error": 0.01, "bits_per_byte": 2.0}
        """

    private func rows(_ lines: String...) throws -> RunRows {
        try RunRecord.rows(of: lines.map { $0 + "\n" }.joined(), file: "metrics.jsonl")
    }

    @Test func everyKindOfRow() throws {
        let result = try rows(Self.training, Self.evaluation, #"{"step": 2, "saved": "step-00000002"}"#)
        #expect(result.curve == [1: 1.75])
        #expect(result.lastStep == 1)
        #expect(
            result.evaluations == [
                EvaluationRow(
                    step: 2,
                    values: [
                        .validation: 1.5, .domain("b"): 1.25, .uniformMean: 1.4, .worst: 2.5, .frequency("low"): 3.5,
                        .frequency("high"): 0.1, .entropy("6+"): 4, .entropy("0-1"): 0.30000000000000004,
                        .calibrationError: 0.01, .bitsPerByte: 2,
                    ], entropyShares: ["0-1": 0.875, "6+": 0.125])
            ])
        #expect(
            MeasuredColumn.all(of: result.evaluations, domains: ["b"]).map(\.key) == [
                "validation_ce", "uniform_mean", "worst_ce", "domains.b", "frequency.high", "frequency.low",
                "bits_per_byte", "calibration_error", "entropy.0-1", "entropy.6+",
            ])
    }

    @Test func theLastRowOfAStepCounts() throws {
        func train(_ step: Int, _ ce: String) -> String { #"{"step": \#(step), "tokens": 1, "ce": \#(ce)}"# }
        func evaluate(_ step: Int, _ ce: Double) -> String { #"{"step": \#(step), "validation_ce": \#(ce)}"# }
        // The run stopped after step 3 and resumed from step 1. Step 3 of the second pass is not written yet.
        let result = try rows(
            train(1, "4.0"), evaluate(1, 4.5), train(2, "3.0"), evaluate(2, 3.5), train(3, "2.0"), evaluate(3, 2.5),
            train(2, "3.25"), evaluate(2, 3.75), evaluate(2, 3.625))
        #expect(result.curve == [1: 4, 2: 3.25])
        #expect(result.lastStep == 2)
        #expect(result.evaluations.map(\.step) == [1, 2])
        #expect(result.evaluations.map { $0.values[.validation] } == [4.5, 3.625])
        // A skipped step has no CE, so the curve has no entry.
        #expect(try rows(train(1, "4.0"), train(2, "null"), train(3, "2.0")).curve == [1: 4, 3: 2])
        // A skipped step still counts as the last step.
        #expect(try rows(train(1, "4.0"), train(2, "null")) == RunRows(curve: [1: 4], lastStep: 2))
    }

    @Test func anUnfinishedLineIsNoRow() throws {
        let text = Self.training + "\n" + Self.evaluation + "\n" + #"{"step": 3, "tok"#
        #expect(try RunRecord.rows(of: text, file: "").evaluations.count == 1)
    }

    @Test(arguments: [
        ("{", "not JSON"), ("", "not JSON"), (#"{"tokens": 3}"#, "step"), (#"{"step": "one"}"#, "step"),
        (#"{"step": 1, "validation_ce": "low"}"#, "validation_ce"),
    ])
    func aDamagedLineIsNamed(_ line: String, _ reason: String) {
        let failure = #expect(throws: ProgramFailure.self) { try rows(Self.training, line) }
        #expect(failure?.status == .badInput)
        for part in ["metrics.jsonl:2: found \"\(line)\"", "allowed: a row", reason] {
            #expect(failure?.message.contains(part) == true, "\(failure?.message ?? "")")
        }
    }

    @Test func aRunDirectory() throws {
        let folder = try TemporaryFolder()
        let missing = #expect(throws: ProgramFailure.self) { try RunRecord(directory: folder.path) }
        #expect(missing?.message.hasPrefix("\(folder.path)/configuration.yaml: there is no such file") == true)
        let configuration = CompareSamples.configuration(CompareSamples.mile, seed: 7, directory: "runs/here")
        try folder.write(configuration.yaml, to: "configuration.yaml")
        #expect(throws: ProgramFailure.self) { try RunRecord(directory: folder.path) }
        try folder.write(Self.training + "\n" + Self.evaluation + "\n", to: "metrics.jsonl")
        let run = try RunRecord(directory: folder.path + "//")
        #expect(run.directory == folder.path)
        #expect(run.seed == 7)
        #expect(run.configuration.loss == configuration.loss)
        #expect(run.evaluations.map(\.step) == [2])
    }
}
