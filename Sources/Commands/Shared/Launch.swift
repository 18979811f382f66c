// Launch - starts a command's body on the ranks that it needs, and ends the program with its status.

internal import ClusterDoctor
internal import Glibc
package import JobRuntime
package import Reporting

/// Runs the body of a command that shares its work among ranks, unless ranks were started that do not know of each other.
///
/// - Parameter loss: what follows when standard output cannot be written.
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
            // Where each rank is rank 0 of a job of its own, one voice is enough.
            if process.isAlone && !Launcher.isFirstRank { return .runtimeFailure }
            throw error
        }
        return try body(process)
    }
}

/// Runs a command's body and ends the program with its status.
///
/// - Parameters:
///   - ranks: what the command needs of the job's ranks; MPI is started where it needs them.
///   - loss: what follows when standard output cannot be written.
///   - refusal: the status of `body`'s error where every rank knows it; nil where only `body` tells.
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

/// Starts the thread that receives signals. A signal that came since the program began is received now.
func waitForSignals() {
    do {
        try StopRequest.startWaiting()
    } catch {
        Console.writeError("mile-dist: \(error)")
        exit(ExitStatus.runtimeFailure.rawValue)
    }
}
