// Launch - starts MPI if the command needs it, runs the command and ends the program with its exit status.

internal import ClusterDoctor
internal import Glibc
package import JobRuntime
package import Reporting

/// Runs the body of a command that shares its work among ranks. Refuses launches whose ranks do not find each other.
///
/// - Parameter loss: the consequence if standard output cannot be written.
func launchOnAllRanks(
    loss: Console.OutputLoss = .isFailure, _ body: (ProcessContext) throws -> ExitStatus
) -> Never {
    if let failure = LaunchCheck.beforeMPI() {
        if Launcher.isFirstRank { Console.writeError("mile-dist: \(failure.message)") }
        exit(failure.status.rawValue)
    }
    launch(.all, loss: loss) { process in
        do {
            try process.requireAllRanks()
        } catch {
            // Each rank is rank 0 of a job of its own here. Only the launcher's first rank prints.
            if process.isAlone && !Launcher.isFirstRank { return .runtimeFailure }
            throw error
        }
        return try body(process)
    }
}

/// Runs a command's body and ends the program with its status.
///
/// - Parameters:
///   - ranks: the ranks that the command needs. MPI starts only for a command that needs several.
///   - loss: the consequence if standard output cannot be written.
///   - refusal: the status of `body`'s error if every rank knows in advance that it fails; nil otherwise.
package func launch(
    _ ranks: RankNeed = .all, loss: Console.OutputLoss = .isFailure, refusal: ExitStatus? = nil,
    _ body: (ProcessContext) throws -> ExitStatus
) -> Never {
    waitForSignals()
    let process: ProcessContext
    do {
        if let started = try ProcessContext.start(ranks, loss: loss, isRefused: refusal != nil) {
            process = started
        } else {
            guard let refusal else { exit(ExitStatus.done.rawValue) }
            guard let late = ProcessContext.afterFirstRank(loss: loss) else { exit(refusal.rawValue) }
            process = late
        }
    } catch {
        Console.writeError("mile-dist: MPI could not be started: \(error)")
        exit(ExitStatus.runtimeFailure.rawValue)
    }
    do {
        let status = try body(process)
        process.console.endLiveLine()
        try process.finish()
        exit(status.rawValue)
    } catch {
        exit(process.end(after: error))
    }
}

/// Ends a process that leaves printing and work to the first rank.
///
/// Why it waits a second on failure: mpirun kills all ranks when one fails, and the first rank must print before.
func endSilently(_ status: ExitStatus) -> Never {
    if status != .done { sleep(1) }
    exit(status.rawValue)
}

/// Starts the thread that receives signals. A signal since the start of the program is received now.
func waitForSignals() {
    do {
        try StopRequest.startWaiting()
    } catch {
        Console.writeError("mile-dist: \(error)")
        exit(ExitStatus.runtimeFailure.rawValue)
    }
}
