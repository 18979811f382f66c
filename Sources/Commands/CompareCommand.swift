// CompareCommand - `mile-dist compare`: runs of several losses, paired by seed, in a table and a report.

internal import Foundation
public import JobRuntime
internal import MessagePassing
public import Reporting
internal import RunComparison

/// `mile-dist compare RUN...`
public struct CompareCommand: Sendable {
    /// Run directories.
    public var runs: [String]
    /// Name of an arm.
    public var baseline: String
    /// The file of the report.
    public var output: String
    public var isJSON: Bool
    /// Of the intervals; above 0 and below 1.
    public var confidence: Double

    public init(
        runs: [String], baseline: String = "cross_entropy", output: String, isJSON: Bool = false,
        confidence: Double = 0.95
    ) {
        self.runs = runs
        self.baseline = baseline
        self.output = output
        self.isJSON = isJSON
        self.confidence = confidence
    }

    /// Rank 0 works; an error is everybody's.
    public func run(_ session: Session) throws -> ExitStatus {
        try session.communicator.agreed {
            guard session.communicator.rank == 0 else { return }
            let study = try Study(runs: runs.map { try RunRecord(directory: $0) }, baseline: baseline)
            let comparison = StudyComparison(study, demands: .init(confidence: confidence))
            try write(HTMLReport(comparison).text)
            if isJSON {
                session.console.raw(comparison.json.text + "\n")
            } else {
                session.console.line(ComparisonTable(comparison).text)
                session.console.line("\(output): the report")
            }
        }
        return .done
    }

    private func write(_ report: String) throws {
        do {
            try report.write(toFile: output, atomically: true, encoding: .utf8)
        } catch {
            throw ProgramFailure(.badInput, "--output: \(output) cannot be written: \(FileErrors.reason(error))")
        }
    }
}
