// PairwiseGather - an all-gather by messages: each rank sends every other one its segment, straight to its place.

internal import CMPI

/// The all-gather of large buffers in a group of ranks.
///
/// For R ranks each sends and receives (R - 1) / R of the buffer, in both directions at once, as Open MPI 4.1's own
/// (`MPI_Iallgatherv`) does. What that one lacks is an order between several: all would share the link from the start, and
/// the first, which somebody waits for, would be there hardly before the last. Here those that were started first get the
/// link, see ``MessageLine``.
///
/// Safe: the memory is kept by the operation.
@safe final class PairwiseGather: Operation, LineMember {
    let function = "MPI_Irecv of an all-gather"
    private let base: UnsafeMutableRawPointer
    private let type: ElementType
    private let group: Group
    private let tag: Int32
    private let line: MessageLine
    private var memory: [AnyObject]
    /// A message with one other rank.
    private struct Message {
        let rank: Int
        /// Elements of the whole buffer.
        let part: Range<Int>
    }
    private let incoming: [Message]
    private let outgoing: [Message]
    private var receives: MessageQueue
    private var sends: MessageQueue
    private(set) var isComplete = false
    var waitsForMessages: Bool { !isComplete }
    var needsTests: Bool { !isComplete }
    var bytesUnderWay: (received: Int, sent: Int) { (receives.bytesUnderWay, sends.bytesUnderWay) }

    /// - Parameters:
    ///   - base: the whole buffer, this rank's segment in its place.
    ///   - segments: where the segment of each of the group's ranks lies in it, in elements; the same on all.
    ///   - number: how many gathers were started before, the same on all ranks of the group.
    ///   - limit: the most elements of one message.
    ///   - line: where this gather waits for its turn.
    init(
        _ base: UnsafeMutableRawPointer, _ type: ElementType, segments: [Range<Int>], keeping memory: [AnyObject],
        in group: Group, number: Int, limit: Int, line: MessageLine
    ) {
        precondition(segments.count == group.size, "\(segments.count) segments for \(group.size) ranks")
        unsafe self.base = base
        self.type = type
        self.group = group
        tag = MessageTag.gather(number)
        self.line = line
        self.memory = memory
        let piece = max(1, min(MessageQueue.pieceBytes / type.stride, limit))
        let pieceCount = ((segments.map(\.count).max() ?? 0) + piece - 1) / piece
        var incoming: [Message] = []
        var outgoing: [Message] = []
        // Each rank begins with its neighbours and goes round, so that not all send to the same one at once, and one that is
        // late does not hold up all messages of another.
        for index in 0..<pieceCount {
            func part(of rank: Int) -> Range<Int> {
                let segment = segments[rank]
                let start = segment.lowerBound + index * piece
                return min(start, segment.upperBound)..<min(start + piece, segment.upperBound)
            }
            let own = part(of: group.rank)
            for step in 1..<max(group.size, 1) {
                let source = (group.rank + group.size - step) % group.size
                if !part(of: source).isEmpty { incoming.append(Message(rank: source, part: part(of: source))) }
                if !own.isEmpty { outgoing.append(Message(rank: (group.rank + step) % group.size, part: own)) }
            }
        }
        self.incoming = incoming
        self.outgoing = outgoing
        receives = MessageQueue(function, count: incoming.count)
        sends = MessageQueue("MPI_Isend of an all-gather", count: outgoing.count)
        line.join(self)
    }

    func test(at site: CallSite) throws(MPIError) -> Bool {
        guard !isComplete else { return true }
        let room = line.room(for: self)
        let receive = { (index: Int, operation: MessageOperation) throws(MPIError) -> Int in
            try self.receive(self.incoming[index], operation, at: site)
        }
        line.note(completed: try receives.move(at: site, room: room.received, keeping: memory, start: receive))
        let send = { (index: Int, operation: MessageOperation) throws(MPIError) -> Int in
            try self.send(self.outgoing[index], operation, at: site)
        }
        line.note(completed: try sends.move(at: site, room: room.sent, keeping: memory, start: send))
        guard receives.isDone && sends.isDone else { return false }
        isComplete = true
        memory = []
        line.leave(self)
        return true
    }

    private func receive(
        _ message: Message, _ operation: MessageOperation, at site: CallSite
    ) throws(MPIError) -> Int {
        try unsafe operation.start(at: site) {
            unsafe MPI_Irecv(
                base + message.part.lowerBound * type.stride, Int32(message.part.count), type.datatype,
                Int32(message.rank), tag, group.handle, $0)
        }
        return message.part.count * type.stride
    }

    private func send(
        _ message: Message, _ operation: MessageOperation, at site: CallSite
    ) throws(MPIError) -> Int {
        try unsafe operation.start(at: site) {
            unsafe MPI_Isend(
                base + message.part.lowerBound * type.stride, Int32(message.part.count), type.datatype,
                Int32(message.rank), tag, group.handle, $0)
        }
        return message.part.count * type.stride
    }
}
