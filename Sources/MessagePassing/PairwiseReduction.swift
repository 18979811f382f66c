// PairwiseReduction - a reduce-scatter by messages: each rank sends every other one its segment, and adds what it receives.

internal import CMPI
internal import Tensors

/// The reduce-scatter of a group of ranks that share no memory.
///
/// For R ranks each sends and receives (R - 1) / R of the buffer, in both directions at once, which is the least possible,
/// and adds in the order of the ranks. Open MPI 4.1's own (`MPI_Ireduce_scatter`) sends whole buffers up a tree to one rank,
/// which then sends out the segments: that rank receives log2 R buffers, one after another, in an order of its own.
///
/// Segments are cut into windows, of which a few are under way at a time, so that the memory for what is received is
/// bounded. Every test of the operation moves it on; nothing ever waits. Safe: the memory is kept by the operation.
@safe final class PairwiseReduction: Operation {
    /// Least bytes of a message, below which latency counts more than memory. With many ranks it makes windows larger, of
    /// which there are fewer under way then.
    private static let leastMessageBytes = 64 << 10
    /// Windows under way, at least: while the last of one is on its way, another has begun.
    private static let leastDepth = 2
    /// Bytes of a task of the parallel loop; less than two of them are not worth waking threads.
    private static let grainBytes = 64 << 10

    let function = "MPI_Irecv of a reduce-scatter"
    private let base: UnsafeMutableRawPointer
    private let target: UnsafeMutableRawPointer
    private let summand: Summand
    private let counts: [Int]
    private let starts: [Int]
    private let group: Group
    private let tag: Int32
    /// Elements of a whole window of one segment.
    private let piece: Int
    /// Windows under way, at most: those that there is room for.
    private let depth: Int
    private let room: Arena
    private let parallel: ParallelLoop?
    private var memory: [AnyObject]
    private var whenComplete: ((Arena) -> Void)?
    private var windows: MessageWindows
    private(set) var isComplete = false
    var waitsForMessages: Bool { !isComplete }
    var needsTests: Bool { !isComplete }

    /// - Parameters:
    ///   - counts: elements of each segment, the same on all ranks of the group.
    ///   - target: receives this rank's segment; must not overlap `base`.
    ///   - number: how many reductions the group has started before: tells the messages of one from those of the next.
    ///   - limit: the most elements of one message.
    ///   - scratch: where room for messages comes from, and returns to.
    init(
        _ base: UnsafeMutableRawPointer, _ summand: Summand, counts: [Int], into target: UnsafeMutableRawPointer,
        keeping memory: [AnyObject], in group: Group, number: Int, limit: Int, scratch: Scratch,
        parallel: ParallelLoop?
    ) {
        precondition(counts.count == group.size, "\(counts.count) segments for \(group.size) ranks")
        let stride = summand.type.stride
        let others = max(group.size - 1, 1)
        let longest = counts.max() ?? 0
        let wanted = max(MessageWindows.windowBytes / others, Self.leastMessageBytes) / lineBytes * lineBytes / stride
        let piece = max(1, min(wanted, limit, longest))
        unsafe self.base = base
        unsafe self.target = target
        self.summand = summand
        self.counts = counts
        var next = 0
        starts = counts.map { count in
            defer { next += count }
            return next
        }
        self.group = group
        tag = MessageTag.reduction(number)
        self.piece = piece
        let roomBytes = MessageWindows.mostUnderWay * MessageWindows.windowBytes
        windows = MessageWindows(
            count: (longest + piece - 1) / piece,
            depth: min(max(roomBytes / (others * piece * stride), Self.leastDepth), MessageWindows.mostUnderWay))
        depth = windows.depth
        let floats = stride / ElementType.float.stride * depth * others * piece
        room = scratch.take(count: counts[group.rank] > 0 ? floats : 0)
        self.parallel = parallel
        self.memory = memory
        whenComplete = { scratch.giveBack($0) }
    }

    func test(at site: CallSite) throws(MPIError) -> Bool {
        guard !isComplete else { return true }
        let start = { (index: Int) throws(MPIError) -> MessageWindows.Window in try self.start(index, at: site) }
        guard try windows.test(at: site, start: start, use: add) else { return false }
        isComplete = true
        memory = []
        whenComplete?(room)
        whenComplete = nil
        return true
    }

    /// The part of `rank`'s segment that window `index` holds, in elements of the segment; may be empty.
    private func part(of rank: Int, _ index: Int) -> Range<Int> {
        min(index * piece, counts[rank])..<min((index + 1) * piece, counts[rank])
    }

    /// Where the part that `rank` sends for window `index` is received.
    private func place(of rank: Int, _ index: Int) -> UnsafeMutableRawPointer {
        let other = rank < group.rank ? rank : rank - 1
        let slot = index % depth * (group.size - 1) + other
        return unsafe room.all.address + slot * piece * summand.type.stride
    }

    private func start(_ index: Int, at site: CallSite) throws(MPIError) -> MessageWindows.Window {
        let receives = MessageOperation(function, keeping: memory + [room])
        let sends = MessageOperation("MPI_Isend of a reduce-scatter", keeping: memory)
        let own = part(of: group.rank, index)
        // Each rank begins with its neighbours, so that not all send to the same one at once.
        for step in 1..<group.size {
            let source = (group.rank + group.size - step) % group.size
            if !own.isEmpty {
                try unsafe receives.start(at: site) {
                    unsafe MPI_Irecv(
                        place(of: source, index), Int32(own.count), summand.type.datatype, Int32(source), tag,
                        group.handle, $0)
                }
            }
            let receiver = (group.rank + step) % group.size
            let sent = part(of: receiver, index)
            if !sent.isEmpty {
                try unsafe sends.start(at: site) {
                    unsafe MPI_Isend(
                        base + (starts[receiver] + sent.lowerBound) * summand.type.stride, Int32(sent.count),
                        summand.type.datatype, Int32(receiver), tag, group.handle, $0)
                }
            }
        }
        return MessageWindows.Window(receives: receives, sends: sends)
    }

    /// Adds what window `index` has brought.
    private func add(_ index: Int) {
        let stride = summand.type.stride
        let own = part(of: group.rank, index)
        guard !own.isEmpty else { return }
        let bytes = own.count * stride
        func run(_ range: Range<Int>) {
            unsafe withUnsafeTemporaryAllocation(of: UnsafeRawPointer.self, capacity: group.size) { sources in
                for rank in 0..<group.size {
                    let source =
                        unsafe rank == group.rank
                        ? base + (starts[rank] + own.lowerBound) * stride : place(of: rank, index)
                    unsafe sources.initializeElement(at: rank, to: UnsafeRawPointer(source + range.lowerBound))
                }
                unsafe sumInOrder(
                    UnsafeBufferPointer(sources), of: summand, byteCount: range.count,
                    into: target + own.lowerBound * stride + range.lowerBound)
            }
        }
        guard let parallel, bytes >= 2 * Self.grainBytes else { return run(0..<bytes) }
        parallel((bytes + Self.grainBytes - 1) / Self.grainBytes) { task in
            run((task * Self.grainBytes)..<min((task + 1) * Self.grainBytes, bytes))
        }
    }
}
