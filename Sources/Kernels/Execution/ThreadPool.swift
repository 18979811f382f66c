// ThreadPool - the one set of threads that computes; MPI and files stay with the main thread.

internal import Dispatch
internal import Glibc
public import LinearAlgebra
internal import Synchronization
internal import Tensors

/// A fixed set of threads that run the tasks of one operation at a time.
///
/// The caller's thread takes part. Each thread begins with a range of tasks of its own, the same share of each operation, so
/// that it finds in its caches the rows that it wrote in the operation before; who has finished takes over tasks of others. So
/// a task's result must depend on its index only; then results do not depend on the number of threads.
public final class ThreadPool: Sendable {
    /// Threads that compute, the caller's included.
    public let threadCount: Int
    /// Whether an idle thread polls for a while before it sleeps.
    public let spins: Bool
    /// What computes matmuls.
    public let backends: GEMMBackends
    /// Where bf16 operands are upcast to fp32: each thread's room for it.
    let upcasting: OperandScratch?
    /// Where fp32 operands of gradients of weights are copied: each thread's room for it.
    let copying: OperandScratch?
    /// Where bf16 operands are multiplied as such and this processor has tiles: what each thread needs for matmuls on them.
    let tiles: TileScratch?
    private let shared: Shared

    /// Whether bf16 operands are multiplied on tiles where they are not upcast.
    public static var multipliesOnTiles: Bool { TileGEMM.isAvailable }

    /// Starts `threadCount - 1` threads.
    ///
    /// - Throws: ``ThreadPoolError`` where the system refuses one; those that run already end.
    /// - Parameter backends: compute matmuls.
    /// - Parameter spins: whether an idle thread polls for a while before it sleeps. It saves the wake-up between the
    ///   operations of a step; it must be off where more threads than cores run, because polling takes the core from
    ///   the thread that is waited for.
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

    /// The most threads of a pool for which there was room: libraries keep the buffers of threads that have ended.
    private static let mostThreads = Atomic<Int>(0)
    /// What this process has mapped once all threads have all that they may take, in bytes.
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
        if let room = space.availableBytes, room < bytes(threadCount) + AddressSpace.reserveBytes {
            let fitting = (before..<threadCount).last { bytes($0) + AddressSpace.reserveBytes <= room }
            throw ThreadPoolError(threadCount: threadCount, startedCount: fitting ?? before, code: ENOMEM)
        }
        mostThreads.max(threadCount, ordering: .relaxed)
        addressSpaceEnd.max(space.usedBytes + bytes(threadCount), ordering: .relaxed)
    }

    /// Called by the thread that calls ``run(_:_:)`` between its tasks, now and then: what keeps messages moving while it
    /// computes. It must be short and runs on that thread only, which alone may set it; of the pool it may call
    /// ``runForProgressHook(_:_:)``.
    public func setProgressHook(_ hook: (() -> Void)?) { shared.progressHook = hook.map { ProgressHook($0) } }

    /// Runs `body(task, worker)` for every task in `0..<taskCount` and returns when all are done.
    ///
    /// `worker` is in `0..<threadCount` and names the running thread, for scratch memory. One operation at a time: `body`
    /// may not call it, nor may two threads at once.
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

    /// Runs `body(task)` for every task, for work that belongs to what the progress hook looks after: no hook begins
    /// in the middle of it, and inside a progress hook, where the other threads are busy, the calling thread does it alone.
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

    /// 0, or the code of what went wrong, as `pthread_create` gives it.
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
    /// Threads that were wanted.
    public let threadCount: Int
    /// Threads that there were, or that there is room for, the caller's included.
    public let startedCount: Int
    /// `errno` of `pthread_create`, or `ENOMEM` where the limit on address space forbids to try.
    public let code: Int32

    public var description: String {
        unsafe "only \(startedCount) of \(threadCount) compute threads could be started: \(String(cString: strerror(code))). "
            + "\(threadCount) threads need up to \(AddressSpace.bytes(threads: threadCount) >> 20) MiB of address space. "
            + AddressSpace.remedy(others: "processes (ulimit -u)")
    }
}

/// What the threads of a pool share. `@unchecked Sendable`: `job` is written by the caller only while every worker is
/// known to be idle, and published by the release of `generation`.
private final class Shared: @unchecked Sendable {
    typealias Job = (_ task: Int, _ worker: Int) -> Void

    /// Half a millisecond or so: mostly longer than the differences between the threads' panels and than what the caller does
    /// alone between two operations of a step. So hardly anybody is woken within a step, which takes some 50 microseconds.
    /// The caller polls as long for the others before it yields its core between polls.
    private static let pollsBeforeSleep = 400_000
    private static let stopped = -1

    private let workerCount: Int
    private let spins: Bool
    private var job: Job?
    /// Belongs to the calling thread.
    var progressHook: ProgressHook?
    private let isRunning = Atomic<Bool>(false)
    private let generation = Atomic<Int>(0)
    private let busyWorkers = Atomic<Int>(0)
    private let sleepers: [Sleeper]
    /// Of the caller and the workers.
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
        // The caller is worker 0; the started threads follow.
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

/// The tasks that a thread begins with. `@unchecked Sendable`: `end` is written as ``Shared/job`` is.
private final class Share: @unchecked Sendable {
    private let next = Atomic<Int>(0)
    private var end = 0
    /// Keeps the counters of two threads out of one cache line.
    private let padding = (SIMD16<Int>(), SIMD16<Int>())

    func set(_ tasks: Range<Int>) {
        next.store(tasks.lowerBound, ordering: .relaxed)
        end = tasks.upperBound
    }

    /// The next task that nobody has taken.
    func take() -> Int? {
        let task = next.add(1, ordering: .relaxed).oldValue
        return task < end ? task : nil
    }
}

/// Something short that a thread does between its tasks, now and then.
private final class ProgressHook {
    /// Nanoseconds from the end of one to the beginning of the next, at least, in which a link of 10 Gbit/s fills a quarter of
    /// a megabyte. One that took longer is followed by as long a rest: half of the time is for the tasks.
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

/// Lets one thread sleep until another wakes it, without losing a wake-up that comes in between.
private final class Sleeper: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let isAsleep = Atomic<Bool>(false)

    /// Announces that this thread is about to sleep; what it waits for must be checked once more afterwards.
    func prepare() { isAsleep.store(true, ordering: .sequentiallyConsistent) }

    /// Takes the announcement back; when a waker was faster, consumes its signal.
    func cancel() {
        if !isAsleep.exchange(false, ordering: .sequentiallyConsistent) { semaphore.wait() }
    }

    func sleep() { semaphore.wait() }

    func wake() {
        if isAsleep.exchange(false, ordering: .sequentiallyConsistent) { semaphore.signal() }
    }
}
