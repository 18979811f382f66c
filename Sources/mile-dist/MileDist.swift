// MileDist - the program: subcommands and exit statuses, nothing else.

import ArgumentParser
import ClusterDoctor
import CStartup
import Glibc
import JobRuntime
import Reporting
import TokenData
import Training

@main
struct MileDist: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mile-dist",
        abstract: "Pretrains LLaMA models with the MiLe loss on CPU clusters.",
        discussion: """
            Examples:
              mile-dist                                   learn the embedded language: proves an installation right
              mpirun -n 4 mile-dist configs/shakespeare.yaml
              mpirun -n 64 mile-dist run.yaml --set training.seed=7
              mile-dist prepare --tokenizer bytes --output data/books books.txt more-books.jsonl.zst
              mile-dist inspect runs/shakespeare/checkpoints
              mile-dist compare runs/study/*
              mpirun -n 2 mile-dist bench step configs/llama-468m.yaml --set training.micro_batch_size=1
              mile-dist plan configs/llama-468m.yaml --ranks 1-64 --gflops 1500 --bandwidth 25Gbit/s
              mile-dist tokenizer train books.txt --vocab-size 8000 --output books
              mpirun -n 64 mile-dist doctor run.yaml          what is wrong with this cluster, and the remedy
              mile-dist generate runs/shakespeare/checkpoints --prompt "ROMEO:"

            Exit status: 0 done; 1 runtime failure; 2 bad arguments, configuration or data; 3 no usable checkpoint;
            75 stopped early on a signal or time limit with everything saved: run the same command again.
            """,
        version: VersionText.text,
        subcommands: [
            Train.self, Eval.self, Generate.self, Inspect.self, Export.self, Import.self, Tokenizer.self, Prepare.self,
            Compare.self, Bench.self, Plan.self, Doctor.self,
        ],
        defaultSubcommand: Train.self)

    /// Synchronous, on the process's first thread, which is the one that may call MPI.
    static func main() {
        // Its checks have run before this; the call only keeps them in the program.
        cstartup_link()
        StandardStreams.prepare()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let status as ExitCode {
            Glibc.exit(status.rawValue)
        } catch {
            let message = fullMessage(for: error)
            if exitCode(for: error).isSuccess {
                launch(.one) { session in
                    session.console.line(message)
                    return .done
                }
            }
            // ArgumentParser's status for bad arguments is 64, ours is 2. All ranks found the mistake; the first one speaks.
            launch(.one, refusal: .badInput) { _ in throw ProgramFailure(.badInput, withoutPrefix(message)) }
        }
    }

    /// Errors start with the program's name; ArgumentParser's start with "Error: ".
    private static func withoutPrefix(_ message: String) -> String {
        let prefix = "Error: "
        return message.hasPrefix(prefix) ? String(message.dropFirst(prefix.count)) : message
    }
}

/// Runs the body of a command that shares its work among ranks, unless ranks were started that do not know of each other.
///
/// - Parameter loss: what follows when standard output cannot be written.
func launchOnAllRanks(
    loss: Console.OutputLoss = .isFailure, _ body: (Session) throws -> ExitStatus
) -> Never {
    if let failure = LaunchCheck.beforeMPI() {
        if Launcher.isFirstRank { Console.writeError("mile-dist: \(failure.message)") }
        exit(failure.status.rawValue)
    }
    launch(.all, loss: loss) { session in
        do {
            try session.requireAllRanks()
        } catch {
            // Where each rank is rank 0 of a job of its own, one voice is enough.
            if session.isAlone && !Launcher.isFirstRank { return .runtimeFailure }
            throw error
        }
        return try body(session)
    }
}

/// Runs a command's body and ends the program with its status.
///
/// - Parameters:
///   - ranks: what the command needs of the job's ranks; MPI is started where it needs them.
///   - loss: what follows when standard output cannot be written.
///   - refusal: the status of `body`'s error where every rank knows it; nil where only `body` tells.
func launch(
    _ ranks: RankNeed = .all, loss: Console.OutputLoss = .isFailure, refusal: ExitStatus? = nil,
    _ body: (Session) throws -> ExitStatus
) -> Never {
    waitForSignals()
    let session: Session
    do {
        guard let started = try Session.start(ranks, loss: loss, isRefused: refusal != nil) else {
            endSilently(refusal ?? .done)
        }
        session = started
    } catch {
        Console.writeError("mile-dist: MPI could not be started: \(error)")
        exit(ExitStatus.runtimeFailure.rawValue)
    }
    do {
        let status = try body(session)
        session.console.endLiveLine()
        try session.finish()
        exit(status.rawValue)
    } catch {
        exit(session.end(after: error))
    }
}

/// Ends a process that leaves words and work to the first rank.
///
/// Why the second: mpirun ends the other ranks when one fails, and the first rank must have spoken before.
func endSilently(_ status: ExitStatus) -> Never {
    if status != .done { sleep(1) }
    exit(status.rawValue)
}

/// Starts the thread that receives signals. A signal that came since the program began is received now.
func waitForSignals() {
    do {
        try StopRequest.startWaiting()
    } catch {
        Console.writeError("mile-dist: \(error)")
        exit(ExitStatus.runtimeFailure.rawValue)
    }
}
