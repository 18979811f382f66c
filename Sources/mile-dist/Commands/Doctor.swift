// Doctor - `mile-dist doctor [CONFIG]`.

import ArgumentParser
import ClusterDoctor
import Commands
import Reporting
import Training

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

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp("Override a key of the configuration. May be repeated.", valueName: "key.path=value"))
    var overrides: [String] = []

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
        guard config == nil, !overrides.isEmpty else { return }
        throw ValidationError("--set needs a CONFIG.")
    }

    func run() throws {
        if let status = DoctorCommand.judgeLaunch() { throw ExitCode(status.rawValue) }
        let watch = StartWatch(seconds: patience)
        launch { session in
            watch.end()
            return try DoctorCommand(
                config: config, overrides: overrides, directory: directory, isJSON: json, isVerbose: verbose,
                isStrict: strict, patience: patience
            ).run(session)
        }
    }
}
