// MessageWindows - messages of one operation, of which a few are under way at a time.

/// An operation's messages in windows, which are started and completed in order. A test moves them on and never waits.
struct MessageWindows {
    /// The messages of one window: receives from and sends to all ranks that take part in it.
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
    /// Bytes of a window in each direction, about; with many ranks windows are larger.
    ///
    /// Why so few: Open MPI sends all that one rank has for another through one connection. The note that completes a
    /// message waits behind all data that were handed over before. All windows together keep a link of 10 Gbit/s busy
    /// for 7 ms, of 1 Gbit/s for 70 ms.
    ///
    /// Why both directions of a window are completed before the next one starts: in queues of their own, answers wait
    /// behind data.
    static let windowBytes = 512 << 10

    /// Windows in all.
    let count: Int
    /// Windows under way at a time, at most.
    let depth: Int
    /// The windows under way, the oldest first; `doneCount` windows are done.
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
    ///   - most: windows under way at which no other one is started; nil: ``depth``.
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
