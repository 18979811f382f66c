// ThreadPool - the compute threads of a process. MPI and files stay with the main thread.

internal import Dispatch
internal import Glibc
public import LinearAlgebra
internal import Synchronization
internal import Tensors

/// A fixed set of threads that run the tasks of one operation at a time.
///
/// The calling thread takes part. Each thread begins with its own range of tasks, an equal part of every operation.
/// Why: its caches then hold the rows that it wrote in the operation before. A thread that has finished takes tasks of
/// other threads.
///
/// A task's result must depend on its index only. Results then do not depend on the number of threads.
public final class ThreadPool: Sendable {
    /// Number of compute threads, the calling one included.
    public let threadCount: Int
    /// Whether an idle thread polls for a while before it sleeps.
    public let spins: Bool
    /// The BLAS backends of matmuls.
    public let backends: GEMMBackends
    /// Workspace for upcast operands; nil where bf16 operands are not upcast.
    let upcasting: OperandScratch?
    /// Workspace for copied operands of weight gradients; nil where fp32 operands are not copied.
    let copying: OperandScratch?
    /// Workspace for matmuls on AMX tiles; nil where bf16 operands are upcast, or where the processor has no tiles.
    let tiles: TileScratch?
    private let shared: Shared

    /// Whether bf16 operands are multiplied on tiles where they are not upcast.
    public static var multipliesOnTiles: Bool { TileGEMM.isAvailable }

    /// Starts `threadCount - 1` threads.
    ///
    /// - Parameters:
    ///   - threadCount: number of compute threads, the calling one included.
    ///   - spins: whether an idle thread polls for a while before it sleeps. Polling saves the wake-up between the
    ///     operations of a step. It must be off where more threads than cores run, because it takes cores from them.
    ///   - backends: the BLAS backends of matmuls.
    /// - Throws: ``ThreadPoolError`` where the system refuses a thread. Threads that were started end.
    public init(
        threadCount: Int, spins: Bool = true, backends: GEMMBackends = GEMMBackends(.openBLAS)
    ) throws {
        precondition(threadCount >= 1, "a pool needs at least one thread")
        try Self.requireAddressSpace(threadCount)
        self.threadCount = threadCount
        self.spins = spins
        self.backends = backends
        upcasting = backends.upcastsBFloat16 ? OperandScratch(threads: threadCount, blocks: 2) : nil
        copying = backends.copiesForWeightGradient ? OperandScratch(threads: threadCount, blocks: 1) : nil
        tiles = TileGEMM.isAvailable && !backends.upcastsBFloat16 ? TileScratch(threads: threadCount) : nil
        shared = Shared(workerCount: threadCount - 1, spins: spins)
        for worker in 0..<(threadCount - 1) {
            let status = Self.start(worker: worker, of: shared)
            guard status == 0 else {
                shared.stop()
                throw ThreadPoolError(threadCount: threadCount, startedCount: worker + 1, code: status)
            }
        }
    }

    deinit { shared.stop() }

    /// Threads of the largest pool so far. Why: libraries keep the buffers of ended threads, and a later pool reuses
    /// them.
    private static let mostThreads = Atomic<Int>(0)
    /// Bytes that this process has mapped once all threads hold the most that they may take.
    private static let addressSpaceEnd = Atomic<Int>(0)

    /// Address space that the threads of all pools so far may still take, in bytes.
    public static var addressSpaceBytes: Int {
        max(addressSpaceEnd.load(ordering: .relaxed) - AddressSpace.current.usedBytes, 0)
    }

    private static func requireAddressSpace(_ threadCount: Int) throws(ThreadPoolError) {
        let before = mostThreads.load(ordering: .relaxed)
        guard threadCount > before else { return }
        let space = AddressSpace.current
        func bytes(_ threads: Int) -> Int { AddressSpace.bytes(threads: threads) - AddressSpace.bytes(threads: before) }
        if let available = space.availableBytes, available < bytes(threadCount) + AddressSpace.reserveBytes {
            let fitting = (before..<threadCount).last { bytes($0) + AddressSpace.reserveBytes <= available }
            throw ThreadPoolError(threadCount: threadCount, startedCount: fitting ?? before, code: ENOMEM)
        }
        mostThreads.max(threadCount, ordering: .relaxed)
        addressSpaceEnd.max(space.usedBytes + bytes(threadCount), ordering: .relaxed)
    }

    /// Sets the progress hook: short work that keeps messages moving while threads compute.
    ///
    /// The thread that calls ``run(_:_:)`` calls the hook now and then between tasks. That thread alone may set it. Of
    /// the pool the hook may call ``runForProgressHook(_:_:)`` only.
    public func setProgressHook(_ hook: (() -> Void)?) { shared.progressHook = hook.map { ProgressHook($0) } }

    /// Runs `body(task, worker)` for every task in `0..<taskCount` and returns when all are done.
    ///
    /// `worker` is in `0..<threadCount` and numbers the running thread, for scratch memory. A pool runs one operation
    /// at a time: `body` may not call this method, nor may two threads at once.
    public func run(_ taskCount: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
        if taskCount <= 1 || threadCount == 1 {
            for task in 0..<taskCount {
                body(task, 0)
                shared.progressHook?.runWhenDue()
            }
            return
        }
        withoutActuallyEscaping(body) { escapable in shared.run(taskCount, escapable) }
    }

    /// Runs `body(task)` for every task without calling the progress hook, for work on messages.
    ///
    /// Inside of a progress hook the other threads are busy, so the calling thread runs all tasks.
    public func runForProgressHook(_ taskCount: Int, _ body: (_ task: Int) -> Void) {
        if let progressHook = shared.progressHook, progressHook.isRunning {
            for task in 0..<taskCount { body(task) }
            return
        }
        let progressHook = shared.progressHook
        shared.progressHook = nil
        run(taskCount) { task, _ in body(task) }
        shared.progressHook = progressHook
    }

    /// Runs `body` over `0..<count` in consecutive ranges of `grain` elements (the last one shorter).
    public func runRanges(count: Int, grain: Int, _ body: (_ range: Range<Int>, _ worker: Int) -> Void) {
        run((count + grain - 1) / grain) { task, worker in
            body((task * grain)..<min((task + 1) * grain, count), worker)
        }
    }

    /// Starts one thread; returns 0, or the error code of `pthread_create`.
    private static func start(worker: Int, of shared: Shared) -> Int32 {
        final class Start {
            let shared: Shared
            let worker: Int
            init(_ shared: Shared, _ worker: Int) {
                self.shared = shared
                self.worker = worker
            }
        }
        let context = unsafe Unmanaged.passRetained(Start(shared, worker)).toOpaque()
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, nil,
            { context in
                guard let context = unsafe context else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
                start.shared.work(start.worker)
                return nil
            }, context)
        guard status == 0 else {
            unsafe Unmanaged<Start>.fromOpaque(context).release()
            return status
        }
        _ = pthread_detach(thread)
        return 0
    }
}

/// The system refused to start a thread.
public struct ThreadPoolError: Error, CustomStringConvertible {
    /// Number of threads that was asked for.
    public let threadCount: Int
    /// Number of threads that were started or that address space allows, the calling one included.
    public let startedCount: Int
    /// Error code of `pthread_create`, or `ENOMEM` where the limit on address space is too low.
    public let code: Int32

    public var description: String {
        unsafe "only \(startedCount) of \(threadCount) compute threads could be started: \(String(cString: strerror(code))). "
            + "\(threadCount) threads need up to \(AddressSpace.bytes(threads: threadCount) >> 20) MiB of address space. "
            + AddressSpace.remedy(others: "processes (ulimit -u)")
    }
}

/// The state that the threads of a pool share.
///
/// `@unchecked Sendable`: the calling thread writes `job` only while every worker is idle, and publishes it with
/// `generation`.
private final class Shared: @unchecked Sendable {
    typealias Job = (_ task: Int, _ worker: Int) -> Void

    /// Polls before a worker sleeps, and before the calling thread yields its core: half a millisecond or so.
    ///
    /// Why: that is mostly longer than the gaps between the operations of a step, and a wake-up takes far longer than a
    /// poll.
    private static let pollsBeforeSleep = 400_000
    private static let stopped = -1

    private let workerCount: Int
    private let spins: Bool
    private var job: Job?
    /// The progress hook. Only the calling thread uses it.
    var progressHook: ProgressHook?
    private let isRunning = Atomic<Bool>(false)
    private let generation = Atomic<Int>(0)
    private let busyWorkers = Atomic<Int>(0)
    private let sleepers: [Sleeper]
    /// The first tasks of each worker, and of the calling thread.
    private let shares: [Share]

    init(workerCount: Int, spins: Bool) {
        self.workerCount = workerCount
        self.spins = spins
        sleepers = (0..<workerCount).map { _ in Sleeper() }
        shares = (0...workerCount).map { _ in Share() }
    }

    func run(_ count: Int, _ body: @escaping Job) {
        precondition(!isRunning.exchange(true, ordering: .acquiring), "a pool runs one operation at a time")
        defer { isRunning.store(false, ordering: .releasing) }
        job = body
        for (index, share) in shares.enumerated() {
            share.set((count * index / shares.count)..<(count * (index + 1) / shares.count))
        }
        busyWorkers.store(workerCount, ordering: .relaxed)
        generation.add(1, ordering: .sequentiallyConsistent)
        for sleeper in sleepers { sleeper.wake() }
        drain(worker: workerCount)
        var polls = 0
        while busyWorkers.load(ordering: .acquiring) > 0 {
            polls += 1
            if !spins || polls > Self.pollsBeforeSleep { sched_yield() }
        }
        job = nil
    }

    func stop() {
        generation.store(Self.stopped, ordering: .sequentiallyConsistent)
        for sleeper in sleepers { sleeper.wake() }
    }

    func work(_ worker: Int) {
        BLASBackends.useCallingThreadOnly()
        var seen = 0
        while true {
            let current = waitForChange(from: seen, sleeper: sleepers[worker])
            if current == Self.stopped { return }
            seen = current
            drain(worker: worker)
            busyWorkers.subtract(1, ordering: .acquiringAndReleasing)
        }
    }

    private func drain(worker: Int) {
        guard let job else { return }
        // The calling thread is worker 0; the started threads follow.
        let name = worker == workerCount ? 0 : worker + 1
        for distance in 0..<shares.count {
            let share = shares[(name + distance) % shares.count]
            while let task = share.take() {
                job(task, name)
                if name == 0 { progressHook?.runWhenDue() }
            }
        }
    }

    private func waitForChange(from seen: Int, sleeper: Sleeper) -> Int {
        for _ in 0..<(spins ? Self.pollsBeforeSleep : 0) {
            let current = generation.load(ordering: .acquiring)
            if current != seen { return current }
        }
        while true {
            sleeper.prepare()
            let current = generation.load(ordering: .sequentiallyConsistent)
            if current != seen {
                sleeper.cancel()
                return current
            }
            sleeper.sleep()
        }
    }
}

/// The range of tasks that a thread begins with.
///
/// `@unchecked Sendable`: the calling thread writes `end` only while every worker is idle.
private final class Share: @unchecked Sendable {
    private let next = Atomic<Int>(0)
    private var end = 0
    /// Keeps the counters of two threads out of one cache line.
    private let padding = (SIMD16<Int>(), SIMD16<Int>())

    func set(_ tasks: Range<Int>) {
        next.store(tasks.lowerBound, ordering: .relaxed)
        end = tasks.upperBound
    }

    /// The next task that no thread has taken; nil when none is left.
    func take() -> Int? {
        let task = next.add(1, ordering: .relaxed).oldValue
        return task < end ? task : nil
    }
}

/// Short work that the calling thread does now and then between its tasks.
private final class ProgressHook {
    /// Least nanoseconds between two calls. A link of 10 Gbit/s moves a quarter of a megabyte in that time.
    ///
    /// A longer call is followed by an equally long rest, so that tasks get half of the time.
    private static let leastRest: UInt64 = 200_000

    private let body: () -> Void
    private var restsUntil: UInt64 = 0
    private(set) var isRunning = false

    init(_ body: @escaping () -> Void) { self.body = body }

    func runWhenDue() {
        guard !isRunning else { return }
        let begin = PhaseRecorder.monotonicNanoseconds()
        guard begin >= restsUntil else { return }
        isRunning = true
        body()
        isRunning = false
        let end = PhaseRecorder.monotonicNanoseconds()
        restsUntil = end + max(Self.leastRest, end - begin)
    }
}

/// Lets one thread sleep until another thread wakes it. A wake-up between check and sleep is not lost.
private final class Sleeper: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let isAsleep = Atomic<Bool>(false)

    /// Announces that this thread is about to sleep. The thread must check its condition once more afterwards.
    func prepare() { isAsleep.store(true, ordering: .sequentiallyConsistent) }

    /// Takes the announcement back. It consumes the signal of a waker that was faster.
    func cancel() {
        if !isAsleep.exchange(false, ordering: .sequentiallyConsistent) { semaphore.wait() }
    }

    func sleep() { semaphore.wait() }

    func wake() {
        if isAsleep.exchange(false, ordering: .sequentiallyConsistent) { semaphore.signal() }
    }
}
