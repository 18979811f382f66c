// MileDist - the program: subcommands and exit statuses, nothing else.

import ArgumentParser
import CStartup
import Glibc
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
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let status as ExitCode {
            Glibc.exit(status.rawValue)
        } catch {
            let message = fullMessage(for: error)
            if exitCode(for: error).isSuccess {
                if Launcher.isFirstRank { print(message) }
                Glibc.exit(0)
            }
            // ArgumentParser's status for bad arguments is 64, ours is 2. All ranks found the mistake, but each in its own
            // time, and mpirun ends the others when the first one leaves: they wait until rank 0 has spoken.
            launch { _ in throw ProgramFailure(.badInput, withoutPrefix(message), isShared: true) }
        }
    }

    /// Errors start with the program's name; ArgumentParser's start with "Error: ".
    private static func withoutPrefix(_ message: String) -> String {
        let prefix = "Error: "
        return message.hasPrefix(prefix) ? String(message.dropFirst(prefix.count)) : message
    }
}

/// Runs the body of a command that shares its work among ranks, unless ranks were started that do not know of each other.
func launchOnAllRanks(_ body: (Session) throws -> ExitStatus) -> Never {
    if let failure = LaunchCheck.beforeMPI() {
        if Launcher.isFirstRank { Console.writeError("mile-dist: \(failure.message)") }
        exit(failure.status.rawValue)
    }
    launch { session in
        do {
            try session.requireAllRanks()
        } catch where !Launcher.isFirstRank {
            // Each of them is rank 0 of a job of its own: one voice is enough.
            return .runtimeFailure
        }
        return try body(session)
    }
}

/// Runs a command's body between the start and the end of MPI and ends the program with its status.
func launch(_ body: (Session) throws -> ExitStatus) -> Never {
    waitForSignals()
    let session: Session
    do {
        session = try Session()
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

/// Starts the thread that receives signals. A signal that came since the program began is received now.
func waitForSignals() {
    do {
        try StopRequest.startWaiting()
    } catch {
        Console.writeError("mile-dist: \(error)")
        exit(ExitStatus.runtimeFailure.rawValue)
    }
}
