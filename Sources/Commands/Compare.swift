// Compare - `mile-dist compare`: compares runs of several losses, paired by seed, in a table and a report.

internal import ArgumentParser
internal import Foundation
internal import JobRuntime
internal import MessagePassing
internal import Reporting
internal import RunComparison

/// `mile-dist compare RUN...`
struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare runs of several losses: paired differences, intervals, and what they could detect.",
        discussion: """
            RUN is a run directory. Runs are grouped by their loss and paired by training.seed; every loss needs the \
            same seeds. Runs that differ in model, data, schedule, batch, evaluation or the weights that they began \
            with, and unfinished ones, are refused. What a resume changed counts too, as starts.jsonl tells it. The \
            last evaluations are compared by unweighted cross-entropy, whatever the runs were trained with.

            Prints a table and writes a report, one HTML file with its drawings inside, replacing that file.

            Examples:
              mile-dist compare runs/study/*
              mile-dist compare runs/ce-1 runs/ce-2 runs/mile-1 runs/mile-2 --output mile.html
              mile-dist compare runs/study/* --baseline "mile 1" --confidence 0.99 --json
            """)

    @Argument(help: ArgumentHelp("Run directories.", valueName: "run"))
    var runs: [String]

    @Option(help: ArgumentHelp("The loss that the others are compared with, as the table names it.", valueName: "name"))
    var baseline = "cross_entropy"

    @Option(help: ArgumentHelp("The HTML file to write.", valueName: "file"))
    var output = "report.html"

    @Flag(help: "Print one JSON object with full precision instead of the table.")
    var json = false

    @Option(help: "Confidence of the intervals; 1 minus it is the level of tests and detectable differences.")
    var confidence = 0.95

    func validate() throws {
        guard confidence > 0, confidence < 1 else {
            throw ValidationError("--confidence: \(confidence) found; allowed: above 0, below 1.")
        }
    }

    func run() throws {
        launch(.one) { process in try run(process) }
    }

    /// Compares on rank 0. `agreed` throws its error on all ranks.
    private func run(_ process: ProcessContext) throws -> ExitStatus {
        try process.communicator.agreed {
            guard process.communicator.rank == 0 else { return }
            let study = try Study(runs: runs.map { try RunRecord(directory: $0) }, baseline: baseline)
            let comparison = StudyComparison(study, demands: .init(confidence: confidence))
            try write(HTMLReport(comparison).text)
            if json {
                process.console.raw(comparison.json.text + "\n")
            } else {
                process.console.line(ComparisonTable(comparison).text)
                process.console.line("\(output): the report")
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
