// MessageWindows - messages of one operation, of which a few are under way at a time.

/// An operation's messages in windows, which are started and completed in order. Every test moves them on; nothing ever
/// waits.
struct MessageWindows {
    /// The messages of one window, from all ranks and to all ranks that it has to do with.
    struct Window {
        let receives: MessageOperation
        let sends: MessageOperation
        fileprivate var isUsed = false

        init(receives: MessageOperation, sends: MessageOperation) {
            self.receives = receives
            self.sends = sends
        }
    }

    /// Windows under way at a time, at most.
    static let mostUnderWay = 16
    /// Bytes of a window in each direction, more or less, where it is not the number of ranks that decides. Open MPI sends
    /// all that one rank has for another through one connection, and what completes a message comes behind all data that
    /// were handed over before it: with messages of 32 MiB a link of 1 Gbit/s carried 0.6 of that, and with 100 MiB under way
    /// nothing was complete before everything was (measured). All windows together keep a link of 10 Gbit/s busy for 7 ms, of
    /// 1 Gbit/s for 70. Both directions of a window are completed before another one takes its place: queues of their own
    /// halved the rate (measured), for answers then wait behind data.
    static let windowBytes = 512 << 10

    /// Windows in all.
    let count: Int
    /// Windows under way at a time, at most.
    let depth: Int
    /// The windows under way, the oldest first, and how many were done before.
    private var underWay: [Window] = []
    private var doneCount = 0

    init(count: Int, depth: Int) {
        precondition(depth > 0, "windows that are never started")
        self.count = count
        self.depth = min(depth, max(count, 1))
    }

    var underWayCount: Int { underWay.count }

    /// Makes progress and tells whether all windows are done.
    ///
    /// - Parameters:
    ///   - most: starts none while so many are under way; nil: ``depth``.
    ///   - start: starts the window with this number.
    ///   - use: called once for each window, in order, when all that it receives is there.
    mutating func test(
        at site: CallSite, most: Int? = nil, start: (Int) throws(MPIError) -> Window, use: (Int) -> Void
    ) throws(MPIError) -> Bool {
        let most = min(most ?? depth, depth)
        while true {
            while underWay.count < most, doneCount + underWay.count < count {
                underWay.append(try start(doneCount + underWay.count))
            }
            guard !underWay.isEmpty else { return doneCount == count }
            if !underWay[0].isUsed {
                guard try underWay[0].receives.test(at: site) else { return false }
                use(doneCount)
                underWay[0].isUsed = true
            }
            guard try underWay[0].sends.test(at: site) else { return false }
            underWay.removeFirst()
            doneCount += 1
        }
    }
}
