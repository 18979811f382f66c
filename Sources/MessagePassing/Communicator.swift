// Communicator - all ranks of the job: start, end, and how a rank waits for the others.

internal import CMPI
internal import Glibc

/// The ranks of this job and the collective operations between them.
///
/// A collective operation is complete only when every rank has called it, so all ranks must make the same calls in the
/// same order with matching arguments: a decision that leads to a call must itself be shared (reduced or broadcast)
/// first. No call blocks inside the library: each starts a nonblocking operation and polls it, so a rank that waits
/// still runs ``idle`` and notices ``deadlineSeconds``.
///
/// One object per process, used on the thread that started it (`MPI_THREAD_FUNNELED`); using it on another thread
/// traps. Keep it until the process ends. An error of one rank must end all of them: leave with ``abort(status:)``,
/// because the others would wait for ever for a rank that unwinds alone.
///
/// Safe: the only pointers it holds are the library's handles.
@safe public final class Communicator {
    /// Number of this process among all, from 0.
    public let rank: Int
    /// Number of processes of the job; 1 without `mpirun`.
    public let size: Int
    /// Number of this process among those on the same node, from 0.
    public let nodeRank: Int
    /// Number of processes of the job on this node.
    public let nodeSize: Int
    /// Name of this node, for messages.
    public let host: String
    /// The library's thread support: `MPI_THREAD_FUNNELED` (1), `SERIALIZED` (2) or `MULTIPLE` (3). Less is refused at
    /// the start.
    public let threadLevel: Int

    /// Called now and then while an operation waits for other ranks, for example to look at signals. It may call
    /// ``abort(status:)`` and no other function of the communicator.
    public var idle: (() -> Void)?
    /// The longest that one wait may take, in seconds; nil waits for ever. A wait that takes longer throws an error of
    /// code ``MPIError/Code/deadline`` that names the operation.
    ///
    /// The deadline ends also waits in which messages still move, and knows nothing of the other ranks. Tests use it; a
    /// run has ``startWatchdog(limitSeconds:describe:)``.
    public var deadlineSeconds: Double?

    /// The most elements of one C call; longer operations are cut into several. The same on every rank; tests set a
    /// small one.
    ///
    /// Why half of what a C `int` holds: Open MPI 4.1 adds the number of ranks to a count.
    package var chunkLimit = 1 << 30

    /// Whether the library was not started.
    let isAlone: Bool
    let world: CommunicatorHandle
    /// The ranks on this node.
    let node: CommunicatorHandle
    /// Memory shared by the ranks of this node; nil where large buffers go by messages.
    var nodes: NodeGroup?
    let site: CallSite
    /// Buffers for messages and sums of operations in flight.
    let scratch = Scratch()
    /// Bytes that this rank has sent in reduce-scatters by messages.
    let sentInReductions = SentBytes()
    /// Reductions that were started by messages, in the same order on all ranks that exchange them.
    var reductionCount = 0
    /// Gathers of large buffers that were started by messages, in the same order on all ranks that exchange them.
    var gatherCount = 0
    let gatherLine = GatherLine()
    /// The hang detector of waits; nil while the watchdog is off.
    var watchdog: Watchdog?
    /// The hang detector's messages; opened when the watchdog is first started.
    var controlMessages: ControlMessages?
    /// Whether a closure of the caller runs inside a wait.
    var isIdling = false
    private let thread: pthread_t
    private var hasFinished = false
    /// Operations that were started and are not known to be complete.
    ///
    /// Why here: they keep their memory in place whatever becomes of the request. After a deadline the library may
    /// still write to it.
    private var inFlight: [any Operation] = []
    /// Operations in flight that nobody will wait for, because waiting failed.
    private var abandoned: [any Operation] = []
    /// Whether an operation has failed or was abandoned. The job has to end then.
    private(set) var hasFailed = false

    /// Starts message passing for this process, also without `mpirun`, then as the only rank.
    ///
    /// Throws an error of code ``MPIError/Code/alreadyStarted`` when called again. The corresponding C function is
    /// `MPI_Init_thread`.
    public static func start() throws(MPIError) -> Communicator {
        let communicator = try Communicator()
        try communicator.regroup(NodeSettings())
        return communicator
    }

    /// A communicator of this process alone, without the MPI library, for work that needs no other rank in any
    /// environment.
    ///
    /// Scalars, bytes and barriers work. Reductions and gathers of large buffers do not.
    public static func alone() -> Communicator { Communicator(host: CallSite.hostName) }

    private init(host: String) {
        isAlone = true
        world = .alone
        node = .alone
        rank = 0
        size = 1
        nodeRank = 0
        nodeSize = 1
        self.host = host
        threadLevel = Int(MPI_THREAD_FUNNELED)
        site = CallSite(rank: 0, host: host)
        thread = pthread_self()
    }

    private init() throws(MPIError) {
        isAlone = false
        let early = CallSite.beforeStart
        var isStarted: Int32 = 0
        try early.check(unsafe MPI_Initialized(&isStarted), "MPI_Initialized")
        guard isStarted == 0 else {
            throw early.error(
                .alreadyStarted, "MPI_Init_thread", "message passing can be started only once in a process")
        }
        // For a process without launcher Open MPI would start a daemon that serves nobody, takes 0.15 s to come up and,
        // when the process is killed, sometimes stays for ever. Other launchers and libraries do not look at this.
        unsafe setenv("OMPI_MCA_ess_singleton_isolated", "1", 0)
        var level: Int32 = 0
        try early.check(unsafe MPI_Init_thread(nil, nil, Int32(MPI_THREAD_FUNNELED), &level), "MPI_Init_thread")
        guard level >= MPI_THREAD_FUNNELED else {
            throw early.error(
                .threadSupport, "MPI_Init_thread",
                "the MPI library was built without support for threads (it offers level \(level), and "
                    + "MPI_THREAD_FUNNELED, \(MPI_THREAD_FUNNELED), is needed): use another build of it")
        }
        let world = try unsafe CommunicatorHandle(cmpi_comm_world(), at: early)
        let host = unsafe CallSite.string(capacity: cmpi_max_processor_name()) {
            unsafe MPI_Get_processor_name($0, $1)
        }
        guard let host else {
            throw early.error(.other, "MPI_Get_processor_name", "the library does not know the name of this node")
        }
        let site = CallSite(rank: world.rank, host: host)
        let node = try world.nodeGroup(at: site)
        self.world = world
        self.node = node
        rank = world.rank
        size = world.size
        nodeRank = node.rank
        nodeSize = node.size
        self.host = host
        threadLevel = Int(level)
        self.site = site
        thread = pthread_self()
    }

    /// Name and version of the library in use. Needs no communicator.
    /// The corresponding C function is `MPI_Get_library_version`.
    public static var libraryVersion: String {
        let text = unsafe CallSite.string(capacity: cmpi_max_library_version_string()) {
            unsafe MPI_Get_library_version($0, $1)
        }
        return text ?? "an MPI library that does not tell its version"
    }

    /// Ends message passing; every rank must call it. No other call is allowed afterwards.
    ///
    /// Throws an error of code ``MPIError/Code/unfinishedRequests`` while a request has not been waited for, and waits
    /// for operations whose wait has failed before. The corresponding C function is `MPI_Finalize`.
    public func finish() throws(MPIError) {
        try enter("MPI_Finalize")
        try reap()
        if let operation = inFlight.first(where: { operation in !abandoned.contains { $0 === operation } }) {
            throw site.error(
                .unfinishedRequests, "MPI_Finalize",
                "\(inFlight.count - abandoned.count) request(s) have not been waited for, "
                    + "the first of \(operation.function)")
        }
        try wait(for: abandoned)
        // MPI_Finalize blocks until every rank has come to it. After this barrier all are there, so it cannot be long.
        try barrier()
        guard !isAlone else {
            hasFinished = true
            return
        }
        try closeControlMessages()
        try closeNodes()
        try node.free(at: site)
        hasFinished = true
        try site.check(MPI_Finalize(), "MPI_Finalize")
    }

    /// Ends every process of the job with `status`, without waiting for anything.
    /// The corresponding C function is `MPI_Abort`.
    public func abort(status: Int32) -> Never {
        // There is no library that would do it.
        if isAlone { _exit(status) }
        _ = unsafe MPI_Abort(world.raw, status)
        preconditionFailure("MPI_Abort returned")
    }

    // MARK: Operations

    /// Called first in every operation: traps on a wrong thread, throws after ``finish()``.
    func enter(_ function: String) throws(MPIError) {
        precondition(pthread_equal(thread, pthread_self()) != 0, "\(function) outside the thread that started MPI")
        precondition(!isIdling, "\(function) inside a closure that another operation has called")
        guard !hasFinished else {
            throw site.error(.finished, function, "message passing has already been finished")
        }
    }

    /// Whether nothing is in flight.
    var isIdle: Bool { inFlight.isEmpty }

    /// Owns an operation until it is complete.
    func register(_ operation: any Operation) throws(MPIError) {
        try reap()
        inFlight.append(operation)
    }

    /// Starts `function` once for each window of `chunking`, between the ranks of `handle` (nil: all).
    ///
    /// - Parameters:
    ///   - memory: owns all memory that `call` passes addresses of.
    ///   - call: calls the C function for a window, with the communicator and the address of the request; returns the
    ///     status.
    func start(
        _ function: String, _ windows: [Range<Int>], keeping memory: [AnyObject], in handle: CommunicatorHandle?,
        _ call: (Range<Int>, CommunicatorHandle, UnsafeMutablePointer<MPI_Request?>) -> Int32
    ) throws(MPIError) -> MessageOperation {
        let operation = MessageOperation(function, keeping: memory)
        // Between one rank, in place, there is nothing to move.
        if isAlone { return operation }
        try begin(operation, isPart: handle != nil) { () throws(MPIError) in
            for window in windows {
                try unsafe operation.start(at: site) { unsafe call(window, handle ?? world, $0) }
            }
        }
        return operation
    }

    /// Takes `operation` over while `body` starts it, so that a failure does not free what the library uses already.
    ///
    /// - Parameter isPart: whether it is a part of another operation, which owns it from then on. A part is started
    ///   while another operation is being moved, when no third one may be.
    func begin(_ operation: any Operation, isPart: Bool, _ body: () throws(MPIError) -> Void) throws(MPIError) {
        if isPart { inFlight.append(operation) } else { try register(operation) }
        do throws(MPIError) {
            try body()
        } catch {
            abandon([operation])
            throw error
        }
        if isPart { inFlight.removeAll { $0 === operation } }
    }

    /// Lets all operations in flight make progress, once. True if any is still in flight.
    ///
    /// Call it between two pieces of other work: the library moves messages only inside its calls.
    public func progress() throws(MPIError) -> Bool {
        try enter("MPI_Test")
        guard !inFlight.isEmpty else { return false }
        do throws(MPIError) {
            try nodes?.exchange.progress(at: site)
            try moveOthers(than: nil, asksLibrary: true)
        } catch {
            abandon(inFlight)
            throw error
        }
        inFlight.removeAll { $0.isComplete }
        return !inFlight.isEmpty
    }

    /// Polls one operation once, and moves all others in flight, because another rank may wait for any of them.
    func test(_ operation: any Operation) throws(MPIError) -> Bool {
        do throws(MPIError) {
            try nodes?.exchange.progress(at: site)
            let waitedForMessages = operation.waitsForMessages
            guard try operation.test(at: site) else {
                try moveOthers(than: operation, asksLibrary: !waitedForMessages)
                return false
            }
        } catch {
            abandon([operation])
            throw error
        }
        // Others may have been completed by the tests of this one.
        inFlight.removeAll { $0.isComplete }
        return true
    }

    /// Moves all operations in flight except one.
    ///
    /// - Parameter asksLibrary: whether nobody has called the library yet; one test of any message moves all of its
    ///   messages.
    private func moveOthers(than operation: (any Operation)?, asksLibrary: Bool) throws(MPIError) {
        if asksLibrary, let other = inFlight.first(where: { $0.waitsForMessages && !$0.needsTests }) {
            _ = try other.test(at: site)
        }
        // This operation may wait for the work of another one.
        for other in inFlight where other.needsTests && other !== operation { _ = try other.test(at: site) }
    }

    /// Pieces that have passed through the memory of the node. Progress of messages cannot be seen.
    private var pieceMoves: Int { nodes?.exchange.moves ?? 0 }

    /// Polls until all `operations` are complete. Where that fails they are abandoned.
    func wait(for operations: [any Operation]) throws(MPIError) {
        var waiting = Waiting(deadlineSeconds: deadlineSeconds)
        var next = 0
        var moves = pieceMoves
        while next < operations.count {
            let operation = operations[next]
            do throws(MPIError) {
                if try test(operation) {
                    next += 1
                    waiting.advance()
                    continue
                }
                if moves != pieceMoves {
                    moves = pieceMoves
                    waiting.restart()
                }
                switch waiting.pause() {
                case .none: break
                case .idle:
                    isIdling = true
                    idle?()
                    isIdling = false
                    try pollWatchdog(operation, &waiting)
                case .expired:
                    throw site.error(
                        .deadline, operation.function,
                        "not complete after \(deadlineSeconds ?? 0) s, the longest a wait may take: another rank is late, "
                            + "stopped or gone")
                }
            } catch {
                abandon(operations[next...])
                throw error
            }
        }
        forgetCompleteAbandoned()
    }

    /// Notes that nobody will wait for `operations`; their memory is kept until they are complete.
    func abandon(_ operations: some Sequence<any Operation>) {
        for operation in operations {
            hasFailed = true
            if !abandoned.contains(where: { $0 === operation }) { abandoned.append(operation) }
        }
    }

    /// Frees the shared memory; collective, when no rank uses it any more.
    func closeNodes() throws(MPIError) {
        guard let open = nodes else { return }
        nodes = nil
        try open.close(at: site)
    }

    /// Releases abandoned operations that are complete by now.
    private func reap() throws(MPIError) {
        for operation in abandoned { _ = try test(operation) }
        forgetCompleteAbandoned()
    }

    /// An operation through shared memory may have been completed by the polls of another.
    private func forgetCompleteAbandoned() {
        for operation in abandoned where operation.isComplete { inFlight.removeAll { $0 === operation } }
        abandoned.removeAll { $0.isComplete }
    }
}

/// MPI calls belong to one thread.
@available(*, unavailable)
extension Communicator: Sendable {}
