// Communicator+PingPong - a message that two ranks send to and fro: latency, bandwidth, and how far their clocks are
// apart.

internal import CMPI

/// One message there and back, in nanoseconds.
public struct RoundTrip: Sendable, Equatable {
    /// Time of sending, by the clock of the rank that began.
    public let sent: Int
    /// Time of arrival at the other rank, by that rank's clock.
    public let answered: Int
    /// Time of return, by the clock of the rank that began.
    public let returned: Int

    public init(sent: Int, answered: Int, returned: Int) {
        self.sent = sent
        self.answered = answered
        self.returned = returned
    }

    public var duration: Int { returned - sent }

    /// Nanoseconds that the other clock is ahead, if both ways took the same time; wrong by at most half of
    /// ``duration``.
    public var offset: Int { answered - (sent + returned) / 2 }
}

extension Communicator {
    /// Sends a message from rank `first` to rank `second` and back, `rounds` times. On other ranks it does nothing.
    /// The corresponding C functions are `MPI_Isend` and `MPI_Irecv`.
    ///
    /// - Parameters:
    ///   - byteCount: length of the message, at least 8: it carries the other rank's time.
    ///   - rounds: number of messages in each direction; the first ones open the connection.
    ///   - clock: nanoseconds, of any clock.
    /// - Returns: the rounds in their order on `first`, nothing on the others.
    public func pingPong(
        between first: Int, and second: Int, byteCount: Int, rounds: Int, clock: () -> Int
    ) throws(MPIError) -> [RoundTrip] {
        try enter("MPI_Isend")
        try check(root: first, "MPI_Isend")
        try check(root: second, "MPI_Isend")
        precondition(first != second, "a message to oneself tells nothing")
        precondition(byteCount >= MemoryLayout<Int>.size && byteCount <= chunkLimit, "a message of \(byteCount) bytes")
        let memory = PinnedArray<UInt8>(repeating: 0, count: byteCount)
        let stamp = unsafe UnsafeMutableRawPointer(memory.pointer)
        var trips: [RoundTrip] = []
        for _ in 0..<rounds {
            if rank == first {
                let sent = clock()
                try send(memory, to: second)
                try receive(memory, from: second)
                let returned = clock()
                trips.append(
                    RoundTrip(sent: sent, answered: unsafe stamp.loadUnaligned(as: Int.self), returned: returned))
            } else if rank == second {
                try receive(memory, from: first)
                unsafe stamp.storeBytes(of: clock(), as: Int.self)
                try send(memory, to: first)
            }
        }
        return trips
    }

    private func send(_ memory: PinnedArray<UInt8>, to receiver: Int) throws(MPIError) {
        let operation = try unsafe start("MPI_Isend", [0..<1], keeping: [memory], in: nil) { _, handle, request in
            unsafe MPI_Isend(
                memory.pointer, Int32(memory.count), ElementType.byte.datatype, Int32(receiver), MessageTag.pingPong,
                handle.raw, request)
        }
        try wait(for: [operation])
    }

    private func receive(_ memory: PinnedArray<UInt8>, from sender: Int) throws(MPIError) {
        let operation = try unsafe start("MPI_Irecv", [0..<1], keeping: [memory], in: nil) { _, handle, request in
            unsafe MPI_Irecv(
                memory.pointer, Int32(memory.count), ElementType.byte.datatype, Int32(sender), MessageTag.pingPong,
                handle.raw, request)
        }
        try wait(for: [operation])
    }
}
