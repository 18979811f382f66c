// PairwiseReduction - a reduce-scatter by messages: each rank sends every other one its segment, and adds what it
// receives.

internal import CMPI
internal import Tensors

/// The reduce-scatter of ranks that share no memory.
///
/// For R ranks, each sends and receives (R - 1) / R of the buffer, in both directions at once, which is the least
/// possible. Each adds in rank order.
///
/// Why not `MPI_Ireduce_scatter`: Open MPI 4.1 sends whole buffers up a tree to one rank, which receives log2 R buffers
/// one after another, adds them in an order of its own and then sends out the segments.
///
/// Messages may leave out blocks of zeros (``PackedPiece``).
///
/// Segments are cut into windows, of which a few are under way at a time, so that the memory for received messages is
/// bounded. A test of the operation moves it on and never waits. Safe: the operation keeps the memory.
@safe final class PairwiseReduction: Operation {
    /// Least bytes of a message. In shorter ones latency counts more than memory. With many ranks this makes windows
    /// larger, and fewer are under way.
    private static let leastMessageBytes = 64 << 10
    /// Windows under way, at least: while the last message of one is on its way, another has begun.
    private static let leastDepth = 2
    /// Bytes of a task of the parallel loop: a word of a packed piece's map. Less than two tasks are not worth waking
    /// threads.
    private static let grainBytes = PackedPiece.wordBytes

    let function = "MPI_Irecv of a reduce-scatter"
    private let base: UnsafeMutableRawPointer
    private let target: UnsafeMutableRawPointer
    private let summand: Summand
    /// The ranks' segments in the buffer.
    private let segments: [Range<Int>]
    private let handle: CommunicatorHandle
    private let tag: Int32
    /// Elements of a whole window of one segment.
    private let piece: Int
    /// Windows under way, at most: as many as the scratch memory holds.
    private let depth: Int
    /// Whether messages leave zeros out.
    private let packs: Bool
    /// Bytes of the longest message.
    private let slotBytes: Int
    /// Received messages; where messages are packed, also the messages to send and a block of zeros.
    private let workspace: Arena
    /// Other ranks with a segment that is not empty, where messages are packed; each has a slot in each window.
    private let receivers: [Int]
    /// Slots for received messages, of all windows under way. Slots for packed messages follow them.
    private let receivingSlots: Int
    private let packingSlots: Int
    private let sentBytes: SentBytes
    private let parallel: ParallelLoop?
    private var memory: [AnyObject]
    private var whenComplete: ((Arena) -> Void)?
    private var windows: MessageWindows
    private(set) var isComplete = false
    var waitsForMessages: Bool { !isComplete }
    var needsTests: Bool { !isComplete }

    /// - Parameters:
    ///   - counts: elements of each segment, the same on all ranks of `handle`.
    ///   - target: receives this rank's segment; must not overlap `base`.
    ///   - number: how many reductions the ranks have started before: tells their messages apart.
    ///   - packs: whether messages leave zeros out, on all ranks of `handle`.
    ///   - limit: the most elements of one message.
    ///   - scratch: lends the memory for messages.
    ///   - sent: counts the bytes that are sent.
    init(
        _ base: UnsafeMutableRawPointer, _ summand: Summand, counts: [Int], into target: UnsafeMutableRawPointer,
        keeping memory: [AnyObject], in handle: CommunicatorHandle, number: Int, packs: Bool, limit: Int,
        scratch: Scratch,
        sent: SentBytes, parallel: ParallelLoop?
    ) {
        precondition(counts.count == handle.size, "\(counts.count) segments for \(handle.size) ranks")
        let stride = summand.type.stride
        let others = max(handle.size - 1, 1)
        let longest = counts.max() ?? 0
        // A row that begins with a block shall do so in every window.
        let unit = packs ? PackedPiece.blockBytes : lineBytes
        let wanted = max(MessageWindows.windowBytes / others, Self.leastMessageBytes) / unit * unit / stride
        let piece = max(1, min(wanted, limit, longest))
        unsafe self.base = base
        unsafe self.target = target
        self.summand = summand
        segments = MessagePassing.segments(of: counts)
        self.handle = handle
        tag = MessageTag.reduction(number)
        self.piece = piece
        let mostBytes = MessageWindows.mostUnderWay * MessageWindows.windowBytes
        windows = MessageWindows(
            count: (longest + piece - 1) / piece,
            depth: min(max(mostBytes / (others * piece * stride), Self.leastDepth), MessageWindows.mostUnderWay))
        depth = windows.depth
        self.packs = packs
        let message = packs ? PackedPiece.mostBytes(piece * stride) : piece * stride
        slotBytes = (message + lineBytes - 1) / lineBytes * lineBytes
        receivers = packs ? counts.indices.filter { $0 != handle.rank && counts[$0] > 0 } : []
        receivingSlots = counts[handle.rank] > 0 ? depth * others : 0
        packingSlots = depth * receivers.count
        let workspaceBytes = (receivingSlots + packingSlots) * slotBytes + (packs ? PackedPiece.blockBytes : 0)
        workspace = scratch.take(count: workspaceBytes / ElementType.float.stride)
        sentBytes = sent
        self.parallel = parallel
        self.memory = memory
        whenComplete = { scratch.giveBack($0) }
        if packs { unsafe zeros.initializeMemory(as: UInt8.self, repeating: 0, count: PackedPiece.blockBytes) }
    }

    func test(at site: CallSite) throws(MPIError) -> Bool {
        guard !isComplete else { return true }
        let start = { (index: Int) throws(MPIError) -> MessageWindows.Window in try self.start(index, at: site) }
        guard try windows.test(at: site, start: start, use: add) else { return false }
        isComplete = true
        memory = []
        whenComplete?(workspace)
        whenComplete = nil
        return true
    }

    /// The part of `rank`'s segment that window `index` holds, in elements of the segment; may be empty.
    private func part(of rank: Int, _ index: Int) -> Range<Int> {
        let count = segments[rank].count
        return min(index * piece, count)..<min((index + 1) * piece, count)
    }

    /// Address at which the message from `rank` for window `index` is received.
    private func receivingSlot(of rank: Int, _ index: Int) -> UnsafeMutableRawPointer {
        unsafe slot(index % depth * (handle.size - 1) + (rank < handle.rank ? rank : rank - 1))
    }

    /// Address at which the message to `rank` is packed.
    private func sendingSlot(for rank: Int, _ index: Int) -> UnsafeMutableRawPointer {
        guard let number = receivers.firstIndex(of: rank) else { preconditionFailure("rank \(rank) owns nothing") }
        return unsafe slot(receivingSlots + index % depth * receivers.count + number)
    }

    /// A block of zeros, in place of a block that a message has left out.
    private var zeros: UnsafeMutableRawPointer { unsafe slot(receivingSlots + packingSlots) }

    private func slot(_ number: Int) -> UnsafeMutableRawPointer { unsafe workspace.all.address + number * slotBytes }

    private func start(_ index: Int, at site: CallSite) throws(MPIError) -> MessageWindows.Window {
        let receives = MessageOperation(function, keeping: memory + [workspace])
        let sends = MessageOperation("MPI_Isend of a reduce-scatter", keeping: memory + [workspace])
        let own = part(of: handle.rank, index)
        let byte = ElementType.byte
        // Each rank begins with its neighbours, so that not all send to the same one at once.
        for step in 1..<handle.size {
            let source = (handle.rank + handle.size - step) % handle.size
            if !own.isEmpty {
                let most = packs ? slotBytes : own.count * summand.type.stride
                try unsafe receives.start(at: site) {
                    unsafe MPI_Irecv(
                        receivingSlot(of: source, index), Int32(most), byte.datatype, Int32(source), tag, handle.raw, $0
                    )
                }
            }
            let receiver = (handle.rank + step) % handle.size
            let sent = part(of: receiver, index)
            if !sent.isEmpty {
                let (message, byteCount) = unsafe self.message(sent, to: receiver, index)
                sentBytes.count += byteCount
                try unsafe sends.start(at: site) {
                    unsafe MPI_Isend(message, Int32(byteCount), byte.datatype, Int32(receiver), tag, handle.raw, $0)
                }
            }
        }
        return MessageWindows.Window(receives: receives, sends: sends)
    }

    /// The message with `part` of the segment of `receiver`.
    private func message(_ part: Range<Int>, to receiver: Int, _ index: Int) -> (UnsafeRawPointer, byteCount: Int) {
        let stride = summand.type.stride
        let values = unsafe base + (segments[receiver].lowerBound + part.lowerBound) * stride
        guard packs else { return (UnsafeRawPointer(values), part.count * stride) }
        let slot = unsafe sendingSlot(for: receiver, index)
        let byteCount = unsafe PackedPiece.pack(values, byteCount: part.count * stride, into: slot)
        return (UnsafeRawPointer(slot), byteCount)
    }

    /// Adds the received messages of window `index`.
    private func add(_ index: Int) {
        let own = part(of: handle.rank, index)
        guard !own.isEmpty else { return }
        let bytes = own.count * summand.type.stride
        let run = { (range: Range<Int>) in
            if self.packs { self.addPacked(index, own, range) } else { self.addWhole(index, own, range) }
        }
        guard let parallel, bytes >= 2 * Self.grainBytes else { return run(0..<bytes) }
        parallel((bytes + Self.grainBytes - 1) / Self.grainBytes) { task in
            run((task * Self.grainBytes)..<min((task + 1) * Self.grainBytes, bytes))
        }
    }

    /// Adds the bytes `range` of the part `own` of this rank's segment.
    private func addWhole(_ index: Int, _ own: Range<Int>, _ range: Range<Int>) {
        unsafe sum(own, range) { rank in unsafe UnsafeRawPointer(self.receivingSlot(of: rank, index) + range.lowerBound)
        }
    }

    private func addPacked(_ index: Int, _ own: Range<Int>, _ range: Range<Int>) {
        let byteCount = own.count * summand.type.stride
        var readers = (0..<handle.size).map { rank in
            rank == handle.rank
                ? nil
                : unsafe PackedPiece.Reader(
                    receivingSlot(of: rank, index), byteCount: byteCount, from: range.lowerBound)
        }
        for start in stride(from: range.lowerBound, to: range.upperBound, by: PackedPiece.blockBytes) {
            unsafe sum(own, start..<min(start + PackedPiece.blockBytes, range.upperBound)) { rank in
                unsafe readers[rank]?.next() ?? UnsafeRawPointer(self.zeros)
            }
        }
    }

    /// Adds the bytes `range` of the part `own` of this rank's segment; `received` gives the address of another rank's
    /// bytes.
    private func sum(_ own: Range<Int>, _ range: Range<Int>, _ received: (_ rank: Int) -> UnsafeRawPointer) {
        let start = own.lowerBound * summand.type.stride + range.lowerBound
        unsafe withUnsafeTemporaryAllocation(of: UnsafeRawPointer.self, capacity: handle.size) { sources in
            for rank in 0..<handle.size {
                let source =
                    unsafe rank == handle.rank
                    ? UnsafeRawPointer(base + segments[rank].lowerBound * summand.type.stride + start) : received(rank)
                unsafe sources.initializeElement(at: rank, to: source)
            }
            unsafe sumInOrder(
                UnsafeBufferPointer(sources), of: summand, byteCount: range.count, into: target + start)
        }
    }
}
