// Train - `mile-dist [train] [CONFIG]`, the default command.

internal import ArgumentParser
internal import Configuration
internal import Evaluation
internal import JobRuntime
internal import Reporting
internal import Training

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a model (the default command).",
        discussion: """
            Without CONFIG the embedded job runs: it learns a language that the program generates, whose best possible \
            loss is known, and says whether it came close enough.

            Examples:
              mpirun -n 4 mile-dist train configs/shakespeare.yaml
              mile-dist train run.yaml --set optimizer.learning_rate=1e-3 --set training.stop_at_step=100
              mile-dist train run.yaml --print-config
              mpirun -n 16 mile-dist train run.yaml --dry-run
            """)

    @Argument(help: "The configuration (YAML), also from a pipe; -: standard input. Without it: the embedded job.")
    var config: String?

    @OptionGroup var overrides: ConfigurationOverrides

    @Option(
        help: ArgumentHelp(
            "auto: continue from the newest checkpoint that verifies, or start a new run where there is none; never: "
                + "start a new run; PATH: continue from this checkpoint.", valueName: "auto|never|PATH"))
    var resume = "auto"

    @Option(
        help: ArgumentHelp(
            "With --resume PATH, an older checkpoint of this run: go back to it. Newer checkpoints, and copies of metrics and "
                + "starts, move to before-NAME in the checkpoints directory. Repeated, the command continues the branch.",
            valueName: "NAME"))
    var branch: String?

    @Option(
        help: ArgumentHelp("Start a new run from the weights of a checkpoint.", valueName: "CHECKPOINT"))
    var initializeFrom: String?

    @Flag(help: "Print the resolved configuration and end.")
    var printConfig = false

    @Flag(help: "Check configuration and data, print memory and layout, and end.")
    var dryRun = false

    @Option(
        help: ArgumentHelp(
            "Print which sequence of which domain the first N sequences of the run are, a JSON line each, and end.",
            valueName: "N"))
    var printOrder: Int?

    @Flag(help: "Print every configuration key with its default and meaning, and end.")
    var helpKeys = false

    func validate() throws {
        if let printOrder, printOrder < 1 {
            throw ValidationError("--print-order: \(printOrder) found; allowed: 1 or more.")
        }
        if let problem = options.problem { throw ValidationError(problem) }
    }

    private var options: TrainOptions {
        TrainOptions(
            resume: ResumeMode(resume), initializeFrom: initializeFrom, branch: branch, isSelfTest: config == nil,
            isDryRun: dryRun, isQuiet: printOrder != nil, printedOrder: printOrder ?? 0)
    }

    func run() throws {
        let printsOnly = helpKeys || printConfig || printOrder != nil
        if printsOnly { launch(.one, train) }
        // Why before MPI starts, which takes a while: an early signal then gives status 75, which asks for a restart.
        StopRequest.listen()
        launchOnAllRanks(loss: dryRun ? .isFailure : .isTold, train)
    }

    private func train(_ process: ProcessContext) throws -> ExitStatus {
        if helpKeys {
            process.console.raw(RunConfiguration.reference)
            return .done
        }
        let configuration = try overrides.load(process, path: config)
        if printConfig {
            process.console.raw(configuration.yaml)
            return .done
        }
        return try Trainer(process, configuration, options).run()
    }
}
