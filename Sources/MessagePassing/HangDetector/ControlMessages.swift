// ControlMessages - short messages from one rank to another, outside all collective operations.

internal import CMPI

/// Short messages between single ranks. Sending and receiving never wait: a receiver may be stopped, or gone.
final class ControlMessages {
    /// Longest message in bytes.
    ///
    /// Why: MPI libraries send so short a message at once, whether or not the receiver listens (Open MPI: below 4 KiB
    /// in shared memory, more elsewhere).
    static let capacity = 1024

    /// A received message.
    struct Message {
        let sender: Int
        let tag: Int32
        let bytes: [UInt8]
    }

    /// A message that is being received.
    private struct Arrival {
        let sender: Int
        let tag: Int32
        let memory: PinnedArray<UInt8>
        let operation: MessageOperation
    }

    /// Messages sent so far.
    private(set) var sentCount = 0
    /// Messages received so far.
    private(set) var receivedCount = 0

    private let handle: CommunicatorHandle
    private var outgoing: [MessageOperation] = []
    private var arrival: Arrival?

    /// - Parameter handle: used for nothing else; freed by ``close(at:)``.
    init(_ handle: CommunicatorHandle) {
        self.handle = handle
    }

    /// Number of processes of the communicator, this one included.
    var size: Int { handle.size }
    /// Number of this process among them, from 0.
    var rank: Int { handle.rank }

    /// Sends `bytes`, at most ``capacity`` of them, to `receiver`. The corresponding C function is `MPI_Isend`.
    func send(_ bytes: [UInt8], to receiver: Int, tag: Int32, at site: CallSite) throws(MPIError) {
        precondition(bytes.count <= Self.capacity, "a message of \(bytes.count) bytes is too long")
        let memory = PinnedArray(bytes)
        let operation = MessageOperation("MPI_Isend", keeping: [memory])
        try unsafe operation.start(at: site) {
            unsafe MPI_Isend(
                memory.pointer, Int32(bytes.count), ElementType.byte.datatype, Int32(receiver), tag, handle.raw, $0)
        }
        outgoing.append(operation)
        sentCount += 1
    }

    /// The next message that has arrived; nil if there is none. The corresponding C functions are `MPI_Iprobe` and
    /// `MPI_Irecv`.
    func receive(at site: CallSite) throws(MPIError) -> Message? {
        try forgetSent(at: site)
        if arrival == nil { arrival = try startReceiving(at: site) }
        guard let arrival, try arrival.operation.test(at: site) else { return nil }
        self.arrival = nil
        receivedCount += 1
        return Message(sender: arrival.sender, tag: arrival.tag, bytes: arrival.memory.array)
    }

    /// Frees the communicator; all ranks call it when every message that was sent has been received.
    func close(at site: CallSite) throws(MPIError) {
        try handle.free(at: site)
    }

    private func startReceiving(at site: CallSite) throws(MPIError) -> Arrival? {
        var isThere: Int32 = 0
        var status = MPI_Status()
        try site.check(
            unsafe MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, handle.raw, &isThere, &status), "MPI_Iprobe")
        guard isThere != 0 else { return nil }
        var count: Int32 = 0
        try site.check(unsafe MPI_Get_count(&status, ElementType.byte.datatype, &count), "MPI_Get_count")
        let (sender, tag) = (status.MPI_SOURCE, status.MPI_TAG)
        let memory = PinnedArray<UInt8>(repeating: 0, count: Int(count))
        let operation = MessageOperation("MPI_Irecv", keeping: [memory])
        // One thread receives, so this is the message that MPI_Iprobe saw.
        try unsafe operation.start(at: site) {
            unsafe MPI_Irecv(memory.pointer, count, ElementType.byte.datatype, sender, tag, handle.raw, $0)
        }
        return Arrival(sender: Int(sender), tag: tag, memory: memory, operation: operation)
    }

    /// Releases the memory of messages that the library has sent.
    private func forgetSent(at site: CallSite) throws(MPIError) {
        var remaining: [MessageOperation] = []
        for operation in outgoing where try !operation.test(at: site) { remaining.append(operation) }
        outgoing = remaining
    }
}
