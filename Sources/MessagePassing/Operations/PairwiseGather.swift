// PairwiseGather - an all-gather by messages: each rank sends every other one its segment, straight to its place.

internal import CMPI

/// The all-gather of large buffers.
///
/// For R ranks, each sends and receives (R - 1) / R of the buffer, in both directions at once. Open MPI 4.1's
/// `MPI_Iallgatherv` does so too.
///
/// Why not `MPI_Iallgatherv`: several of them share the link from the start, and the first one, for which somebody
/// waits, completes hardly before the last. Here the gathers that were started first get the link, see ``GatherLine``.
///
/// Safe: the memory is kept by the operation.
@safe final class PairwiseGather: Operation {
    let function = "MPI_Irecv of an all-gather"
    private let base: UnsafeMutableRawPointer
    private let type: ElementType
    /// The segment of each rank of `handle`.
    private let segments: [Range<Int>]
    private let handle: CommunicatorHandle
    private let tag: Int32
    /// Elements of a message, at most; `pieceCount` is the number of messages of the longest segment.
    private let piece: Int
    private let pieceCount: Int
    private let line: GatherLine
    private var memory: [AnyObject]
    private var windows: MessageWindows
    private(set) var isComplete = false
    /// Windows of messages under way.
    var underWayCount: Int { windows.underWayCount }
    var waitsForMessages: Bool { !isComplete }
    var needsTests: Bool { !isComplete }

    /// - Parameters:
    ///   - base: the whole buffer, with this rank's segment in its place.
    ///   - segments: where the segment of each rank of `handle` lies in it, in elements; the same on all.
    ///   - number: how many gathers were started before, the same on all ranks of `handle`.
    ///   - limit: the most elements of one message.
    ///   - line: the gathers before this one.
    init(
        _ base: UnsafeMutableRawPointer, _ type: ElementType, segments: [Range<Int>], keeping memory: [AnyObject],
        in handle: CommunicatorHandle, number: Int, limit: Int, line: GatherLine
    ) {
        precondition(segments.count == handle.size, "\(segments.count) segments for \(handle.size) ranks")
        unsafe self.base = base
        self.type = type
        self.segments = segments
        self.handle = handle
        tag = MessageTag.gather(number)
        let longest = segments.map(\.count).max() ?? 0
        piece = max(1, min(MessageWindows.windowBytes / type.stride, limit, longest))
        pieceCount = (longest + piece - 1) / piece
        self.line = line
        self.memory = memory
        windows = MessageWindows(count: pieceCount * (handle.size - 1), depth: MessageWindows.mostUnderWay)
        line.join(self)
    }

    func test(at site: CallSite) throws(MPIError) -> Bool {
        guard !isComplete else { return true }
        let start = { (index: Int) throws(MPIError) -> MessageWindows.Window in try self.start(index, at: site) }
        guard try windows.test(at: site, most: line.room(for: self), start: start, use: { _ in }) else { return false }
        isComplete = true
        memory = []
        line.leave(self)
        return true
    }

    /// Sends a piece to one rank and receives one from another. Both are further away from window to window, so that
    /// not all ranks send to the same one at once.
    private func start(_ index: Int, at site: CallSite) throws(MPIError) -> MessageWindows.Window {
        let receives = MessageOperation(function, keeping: memory)
        let sends = MessageOperation("MPI_Isend of an all-gather", keeping: memory)
        let step = 1 + index / pieceCount
        let source = (handle.rank + handle.size - step) % handle.size
        let incoming = part(of: source, index % pieceCount)
        if !incoming.isEmpty {
            try unsafe receives.start(at: site) {
                unsafe MPI_Irecv(
                    base + incoming.lowerBound * type.stride, Int32(incoming.count), type.datatype, Int32(source), tag,
                    handle.raw, $0)
            }
        }
        let outgoing = part(of: handle.rank, index % pieceCount)
        if !outgoing.isEmpty {
            try unsafe sends.start(at: site) {
                unsafe MPI_Isend(
                    base + outgoing.lowerBound * type.stride, Int32(outgoing.count), type.datatype,
                    Int32((handle.rank + step) % handle.size), tag, handle.raw, $0)
            }
        }
        return MessageWindows.Window(receives: receives, sends: sends)
    }

    /// The part of `rank`'s segment that its message number `index` holds; may be empty.
    private func part(of rank: Int, _ index: Int) -> Range<Int> {
        let segment = segments[rank]
        let start = segment.lowerBound + index * piece
        return min(start, segment.upperBound)..<min(start + piece, segment.upperBound)
    }
}

/// The gathers of a rank that are not complete, in the order in which they were started. Together they have as many
/// messages under way as a single one may. A later gather gets the windows that the earlier ones leave.
///
/// Why none waits for ever: all ranks start the gathers in one order, so the line has that order on every rank. All
/// ranks that take part in the first window that is not done have started it.
final class GatherLine {
    private var gathers: [PairwiseGather] = []

    func join(_ gather: PairwiseGather) { gathers.append(gather) }

    func leave(_ gather: PairwiseGather) { gathers.removeAll { $0 === gather } }

    /// Windows that `gather` may have under way.
    func room(for gather: PairwiseGather) -> Int {
        gathers.prefix { $0 !== gather }.reduce(MessageWindows.mostUnderWay) { $0 - $1.underWayCount }
    }
}
