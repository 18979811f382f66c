// Inspect - `mile-dist inspect`.

import ArgumentParser
import Commands
import JobRuntime
import Training

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Verify a checkpoint and print what it holds.",
        discussion: """
            Example:
              mile-dist inspect runs/shakespeare/checkpoints --json
            """)

    @Argument(help: ArgumentHelp("A step directory, or a checkpoints directory (its newest).", valueName: "checkpoint"))
    var checkpoint: String

    @Flag(help: "Print one JSON object, with SHA-256 of every tensor.")
    var json = false

    func run() throws {
        launch(.helpers) { session in try InspectCommand(checkpoint: checkpoint, isJSON: json).run(session) }
    }
}
