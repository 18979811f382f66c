// ExchangeInFlight - reductions and gathers that have started, and their overlap with computation.

internal import Kernels
internal import MessagePassing

/// The operations of a rank's exchange that nobody has waited for yet.
///
/// Reductions move while backward computes, gathers while the update and the next forward pass compute: the pool's calling
/// thread polls between its tasks, through the progress hook.
final class ExchangeInFlight {
    /// Replaced by measurements, while nothing is in flight.
    var exchange: any ShardExchange {
        didSet { precondition(isComplete, "an exchange is replaced while operations of the last one are in flight") }
    }

    private let pool: ThreadPool
    private var reductions = RequestSet()
    /// Buckets whose parameters are on their way, in the order in which forward needs them.
    private var gathers: [Gather] = []
    /// Whether the pool's progress hook polls.
    private var isPolled = false
    /// An error between two tasks of the pool, where nothing can be thrown.
    private var failure: MPIError?

    init(_ exchange: any ShardExchange, pool: ThreadPool) {
        self.exchange = exchange
        self.pool = pool
    }

    /// An error that unwinds past a running reduction ends the program through `MPI_Abort`; its requests end there.
    deinit {
        if isPolled { pool.setProgressHook(nil) }
        reductions.abandon()
        for gather in gathers { gather.requests.abandon() }
    }

    /// Whether everything that was started is known to be done.
    var isComplete: Bool { reductions.isEmpty && gathers.allSatisfy { $0.requests.isEmpty } }

    /// Takes over a reduction; nil where there is nothing to wait for.
    func add(reduction request: consuming Request?) {
        if let request { reductions.add(request) }
    }

    /// Takes over the gather of the parameters at the flat `range`; nil where there is nothing to wait for.
    func add(gather request: consuming Request?, of range: Range<Int>) throws(MPIError) {
        guard let request else { return }
        let gather = Gather(range)
        gather.requests.add(request)
        gathers.append(gather)
        try poll()
    }

    /// Polls once, and hands the rest to the progress hook.
    func moveReductions() throws(MPIError) {
        guard exchange.connectsRanks else { return }
        _ = try exchange.progress()
        try poll()
    }

    /// Waits until every reduction is complete.
    func waitForReductions() throws(MPIError) {
        try throwFailure()
        try reductions.wait()
        try poll()
    }

    /// Waits until every parameter before the flat `index` has arrived.
    func waitForParameters(before index: Int) throws(MPIError) {
        try throwFailure()
        while let next = gathers.first, next.range.lowerBound < index {
            gathers.removeFirst()
            try next.requests.wait()
        }
        try poll()
    }

    private func throwFailure() throws(MPIError) {
        if let failure { throw failure }
    }

    /// Sets the progress hook while anything is in flight, and removes it otherwise.
    private func poll() throws(MPIError) {
        try throwFailure()
        guard isComplete == isPolled else { return }
        isPolled.toggle()
        guard isPolled else { return pool.setProgressHook(nil) }
        pool.setProgressHook { [unowned self] in
            do throws(MPIError) { try pollBetweenTasks() } catch { failure = error }
        }
    }

    /// Nanoseconds from which on a poll has moved something.
    ///
    /// An idle poll takes a few thousand. The library takes 100 KB at a time from a link, in tens of thousands.
    private static let busyPoll: UInt64 = 10_000
    /// Nanoseconds after which the progress hook returns, because other threads of the pool may be waiting.
    private static let longestProgressHook: UInt64 = 1_000_000

    /// Polls as long as polls move something.
    private func pollBetweenTasks() throws(MPIError) {
        guard failure == nil else { return }
        let begin = PhaseRecorder.monotonicNanoseconds()
        var last = begin
        while try exchange.progress() {
            let now = PhaseRecorder.monotonicNanoseconds()
            guard now - last >= Self.busyPoll, now - begin < Self.longestProgressHook else { return }
            last = now
        }
    }
}

/// The parameters of a bucket on their way.
private final class Gather {
    /// Flat range of the bucket.
    let range: Range<Int>
    var requests = RequestSet()

    init(_ range: Range<Int>) { self.range = range }
}
