// ProcessContext - the ranks, threads and console of one process, with which every command starts.

internal import Glibc
public import Kernels
public import LinearAlgebra
public import MessagePassing
public import Reporting

/// One rank of the running program: its communicator, console and cores.
public final class ProcessContext {
    public let communicator: Communicator
    public let console: Console
    /// What the launcher gave this rank, once it was asked for.
    private var coreShare: CoreShare?

    /// Starts MPI (one rank without `mpirun`) and the console.
    ///
    /// - Parameter loss: what follows when standard output cannot be written.
    /// - Throws: also where the limit on address space is too low for that.
    public convenience init(loss: Console.OutputLoss = .isFailure) throws {
        try AddressSpace.current.require(AddressSpace.startBytes, for: "MPI")
        self.init(try Communicator.start(), loss)
        StopRequest.start()
    }

    private init(_ communicator: Communicator, _ loss: Console.OutputLoss) {
        self.communicator = communicator
        console = Console(speaks: communicator.rank == 0, loss: loss)
        BLASBackends.useCallingThreadOnly()
    }

    /// The context of a command: with MPI where it `needs` ranks; otherwise one rank without MPI, in the one
    /// process that does the work.
    ///
    /// - Parameter isRefused: whether the command's arguments are wrong, which the one process says.
    /// - Returns: nil in a process for which another one does all the work.
    public static func start(
        _ needs: RankNeed, loss: Console.OutputLoss, isRefused: Bool = false
    ) throws -> ProcessContext? {
        let reader = SystemReader()
        let role = LaunchRole(reader)
        switch role.part(in: needs, isStranded: reader.isStrandedUnderSlurm, isRefused: isRefused) {
        case .joins:
            if let warning = reader.warningOfLeftovers { Console.writeError("mile-dist: warning: \(warning)") }
            return try ProcessContext(loss: loss)
        case .worksAlone: return ProcessContext(Communicator.alone(), loss)
        case .isSilent(let note):
            if let note { Console.writeError("mile-dist: \(note)") }
            return nil
        }
    }

    /// Gives the first rank time to print why the arguments are wrong, in a process for which
    /// ``start(_:loss:isRefused:)`` has returned nil.
    ///
    /// Why: mpirun ends all ranks when one fails. A rank that failed before the first rank has printed would lose the
    /// message. A rank that is still alive after the wait has wrong arguments alone, and nobody has said so.
    ///
    /// - Parameter loss: what follows when standard output cannot be written.
    /// - Returns: a context of one rank without MPI, for the rank's own message; nil where the process has printed a
    ///   note, or its launcher lets ranks live on after a failure of the first.
    public static func afterFirstRank(loss: Console.OutputLoss) -> ProcessContext? {
        let reader = SystemReader()
        let role = LaunchRole(reader)
        var rest = role.patience
        // Seconds that are left when a signal interrupts the sleep.
        while rest > 0 { rest = sleep(rest) }
        guard case .rank = role, reader.launcherEndsAllRanks else { return nil }
        return ProcessContext(Communicator.alone(), loss)
    }

    /// Ends MPI in order; collective.
    ///
    /// - Throws: also when the command's output could not be written.
    public func finish() throws {
        try communicator.agreed { try console.requireOutput() }
        try communicator.finish()
    }

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
            // Rank 0 has printed the message before any rank leaves: mpirun ends the others when the first one goes.
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
    /// - Parameter backends: what computes matmuls. OpenBLAS where nothing was measured: the same bits at each start.
    public func makePool(
        requested: Int, backends: GEMMBackends = GEMMBackends(.openBLAS)
    ) throws -> ThreadPool {
        let plan = try threadPlan(requested: requested)
        return try communicator.agreed {
            try ThreadPool(threadCount: plan.threads, spins: plan.spins, backends: backends)
        }
    }

    /// How many threads this rank runs. Collective.
    ///
    /// - Parameter requested: 0: the cores that the launcher bound to this rank, shared evenly where ranks of a node
    ///   are not bound to cores of their own, and within the control group's quota. Binding and quota are those that
    ///   were found by the first call.
    package func threadPlan(requested: Int) throws -> ThreadPlan {
        let share = try coreShare ?? findCoreShare()
        coreShare = share
        return ThreadPlan(
            requested: requested, cores: share.cores, sharingRanks: share.sharingRanks, quota: share.quota)
    }

    /// What ``ThreadPlan`` is made of.
    private struct CoreShare {
        let cores: Int
        let sharingRanks: Int
        let quota: Double?
    }

    private func findCoreShare() throws -> CoreShare {
        let cores = Cores.available()
        let host = "\(communicator.host) "
        let places = try communicator.allGather(Array((host + cores.map(String.init).joined(separator: ",")).utf8))
            .map { String(decoding: $0, as: UTF8.self) }
        let onNode = places.filter { $0.hasPrefix(host) }
        let own = Set(cores)
        let sharing = onNode.filter { place in
            place.dropFirst(host.count).split(separator: ",").contains { Int($0).map(own.contains) ?? false }
        }
        // One control group for the ranks of a node: a container, or a job.
        let quota = ControlGroup(proc: "/proc", sys: "/sys").cores.map { $0 / Double(onNode.count) }
        return CoreShare(cores: cores.count, sharingRanks: sharing.count, quota: quota)
    }
}
