// Session - what every command starts with: ranks, threads, console.

public import Configuration
internal import Glibc
public import Kernels
internal import LinearAlgebra
public import MessagePassing

/// One rank of the running program.
public final class Session {
    public let communicator: Communicator
    public let console: Console

    /// Starts MPI (one rank without `mpirun`) and the console.
    public init() throws {
        communicator = try Communicator.start()
        console = Console(speaks: communicator.rank == 0)
        // A reader of the output that goes away (`| head`) is no reason to lose a run.
        signal(SIGPIPE, SIG_IGN)
        ProductLibrary.useCallingThreadOnly()
    }

    /// Ends MPI in order; collective.
    public func finish() throws { try communicator.finish() }

    /// Reports `error` and ends the program everywhere: rank 0 speaks for a failure that all ranks share, otherwise the
    /// failing rank does and ends the others. Returns the status for `exit` where ranks can end in order.
    public func end(after error: any Error) -> Int32 {
        let failure = ProgramFailure(error)
        guard failure.isShared || communicator.size == 1 else {
            Console.writeError("mile-dist: rank \(communicator.rank) on \(communicator.host): \(failure.message)")
            communicator.abort(status: failure.status.rawValue)
        }
        console.error("mile-dist: \(failure.message)")
        do {
            // Rank 0 has spoken before any rank leaves: mpirun ends the others when the first one goes.
            try communicator.barrier()
            try communicator.finish()
        } catch {
            Console.writeError("mile-dist: rank \(communicator.rank) on \(communicator.host): \(error)")
            communicator.abort(status: failure.status.rawValue)
        }
        return failure.status.rawValue
    }

    /// The pool of this rank.
    ///
    /// - Parameter requested: `training.threads`; see ``threadPlan(requested:)``.
    /// - Parameter blas: `training.blas`.
    public func makePool(requested: Int, blas: TrainingConfiguration.BLAS = .auto) throws -> ThreadPool {
        let plan = try threadPlan(requested: requested)
        return ThreadPool(
            threadCount: plan.threads, spins: plan.spins, libraries: try productLibraries(blas))
    }

    /// How many threads this rank runs. Collective.
    ///
    /// - Parameter requested: 0: the cores that the launcher bound to this rank, shared evenly where ranks of a node are
    ///   not bound to cores of their own.
    func threadPlan(requested: Int) throws -> ThreadPlan {
        let cores = Cores.available()
        let places = try communicator.allGather(Array("\(communicator.host) \(cores)".utf8))
        let sharing = places.filter { $0 == places[communicator.rank] }.count
        return ThreadPlan(requested: requested, cores: cores.count, sharingRanks: sharing)
    }
}
