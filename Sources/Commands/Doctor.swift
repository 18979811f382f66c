// Doctor - `mile-dist doctor`: gathers the facts of all ranks, and checks them on rank 0.

internal import ArgumentParser
internal import ClusterDoctor
internal import Configuration
internal import JobRuntime
internal import MessagePassing
internal import Reporting

/// `mile-dist doctor [CONFIG]`
struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what is wrong with this node or cluster, and the remedy.",
        discussion: """
            Start it as the run shall be started: alone, by mpirun or by srun. It looks at the launch, cores, libraries, \
            the directory of checkpoints, limits, clocks and the network between nodes; with CONFIG also at what that run \
            needs. A fault is what a run would fail by, a warning what makes it slow or puts it at risk. On a healthy node \
            it says so in one line. Nothing stays behind.

            Examples:
              mile-dist doctor
              mpirun -n 64 mile-dist doctor run.yaml
              srun --mpi=pmix mile-dist doctor run.yaml --set training.threads=8 --verbose
              mpirun -n 4 mile-dist doctor --directory /scratch/me/checkpoints --json

            Exit status: 0 without faults, 1 with any (with --strict: with any finding).
            """)

    @Argument(help: "The configuration (YAML) of the run. Without it: only what every run needs.")
    var config: String?

    @OptionGroup var overrides: ConfigurationOverrides

    @Option(
        help: ArgumentHelp(
            "Where checkpoints would go. Without it: the configuration's checkpoint.directory, or the working directory.",
            valueName: "dir"))
    var directory = ""

    @Flag(help: "Print one JSON object, with the facts.")
    var json = false

    @Flag(help: "Print the facts too.")
    var verbose = false

    @Flag(help: "Let warnings count like faults in the exit status.")
    var strict = false

    @Option(help: ArgumentHelp("Seconds that ranks wait for each other.", valueName: "seconds"))
    var patience = 120.0

    func validate() throws {
        guard patience > 0, patience < 1e6 else {
            throw ValidationError("--patience: \(patience) found; allowed: above 0")
        }
        guard config == nil, !overrides.assignments.isEmpty else { return }
        throw ValidationError("--set needs a CONFIG.")
    }

    func run() throws {
        if let lines = LaunchCheck.linesBeforeMPI() {
            let console = Console(speaks: Launcher.isFirstRank)
            for line in lines { console.line(line) }
            throw ExitCode(ExitStatus.runtimeFailure.rawValue)
        }
        let watch = StartWatch(seconds: patience)
        launch { process in
            watch.end()
            return try run(process)
        }
    }

    private func run(_ process: ProcessContext) throws -> ExitStatus {
        let communicator = process.communicator
        communicator.deadlineSeconds = patience
        defer { communicator.deadlineSeconds = nil }
        let configuration = try config.map { try overrides.load(process, path: $0) }
        let facts = try FactGathering(process, directory: directory).run(configuration)
        // Rank 0 has the report. All ranks end with its status.
        let report = facts.map(DoctorReport.init)
        let hasFailed = report?.hasFailed(strict: strict) ?? false
        // Ranks that do not find each other are all rank 0. The launcher's variables then say which one prints.
        if let report, communicator.size > 1 || Launcher.isFirstRank { show(report, process.console) }
        return try communicator.isTrueOnAny(hasFailed) ? .runtimeFailure : .done
    }

    private func show(_ report: DoctorReport, _ console: Console) {
        if json { return console.raw(report.json.text + "\n") }
        for line in (verbose ? report.factLines : []) + report.lines { console.line(line) }
    }
}
