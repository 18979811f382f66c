// Compare - `mile-dist compare RUN...`.

import ArgumentParser
import Commands
import JobRuntime
import Training

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare runs of several losses: paired differences, intervals, and what they could detect.",
        discussion: """
            RUN is a run directory. Runs are grouped by their loss and paired by training.seed; every loss needs the same
            seeds. Runs that differ in model, data, schedule, batch, evaluation or the weights that they began with, and unfinished
            ones, are refused. What a resume changed counts too, as starts.jsonl tells it. The last evaluations are compared by
            unweighted cross-entropy, whatever the runs were trained with.

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
        launch(.one) { session in
            try CompareCommand(
                runs: runs, baseline: baseline, output: output, isJSON: json, confidence: confidence
            ).run(session)
        }
    }
}
