// NodePass - one passage of a buffer through the window: a rank copies its pieces in, and takes the others' pieces out.

internal import Tensors

/// Sums segments into their owners, or copies each owner's segment to the others. Safe: the pass's operation keeps the
/// memory.
@safe final class NodePass {
    @safe enum Work {
        /// Adds numbers of all ranks; this rank's segment of the sum goes to the address.
        case sum(Summand, into: UnsafeMutableRawPointer)
        /// Copies bytes of each rank to the same place of all.
        case gather
    }

    /// Bytes of a task of the parallel loop; less than two of them are not worth waking threads.
    private static let grainBytes = 64 << 10

    /// Number of rounds of the pass.
    let rounds: Int
    /// Rounds that this rank has copied in (`staged`), and taken its share out of (`consumed`).
    var staged = 0
    var consumed = 0

    private let work: Work
    private let base: UnsafeMutableRawPointer
    private let segments: NodeSegments
    private let parallel: ParallelLoop?
    private let window: NodeWindow
    /// Longest piece of a segment in one round.
    private let pieceBytes: Int

    init(
        _ work: Work, _ base: UnsafeMutableRawPointer, _ segments: NodeSegments, through window: NodeWindow,
        parallel: ParallelLoop?
    ) {
        self.work = work
        unsafe self.base = base
        self.segments = segments
        self.parallel = parallel
        self.window = window
        switch work {
        // A slot holds one piece for each other rank.
        case .sum: pieceBytes = window.slotBytes / (window.rankCount - 1) / lineBytes * lineBytes
        case .gather: pieceBytes = window.slotBytes
        }
        rounds = segments.rounds(pieceBytes: pieceBytes)
    }

    /// Copies this rank's piece of the next round into its slot, which is slot `slotRound`.
    func stage(slotRound: UInt64) {
        let slot = unsafe window.slot(of: window.rank, round: slotRound)
        switch work {
        case .sum:
            forEachChunk(of: .others, round: staged) { owner, start, positions in
                let piece = unsafe slot + self.offsetInSlot(of: self.window.rank, for: owner)
                self.segments.forEachRun(of: owner, in: positions) { offset, position, count in
                    unsafe copyStreaming(self.base + offset, to: piece + (position - start), byteCount: count)
                }
            }
        case .gather:
            forEachChunk(of: .own, round: staged) { owner, start, positions in
                self.segments.forEachRun(of: owner, in: positions) { offset, position, count in
                    unsafe copyStreaming(self.base + offset, to: slot + (position - start), byteCount: count)
                }
            }
        }
    }

    /// Takes what this rank needs out of the slots of all others in the next round, which is slot `slotRound`.
    func consume(slotRound: UInt64) {
        switch work {
        case .sum(let summand, let target):
            forEachChunk(of: .own, round: consumed) { owner, start, positions in
                self.segments.forEachRun(of: owner, in: positions) { offset, position, count in
                    unsafe self.sum(summand, offset, position - start, count, into: target + position, slotRound)
                }
            }
        case .gather:
            forEachChunk(of: .others, round: consumed) { owner, start, positions in
                let slot = unsafe self.window.slot(of: owner, round: slotRound)
                self.segments.forEachRun(of: owner, in: positions) { offset, position, count in
                    unsafe (self.base + offset).copyMemory(from: slot + (position - start), byteCount: count)
                }
            }
        }
    }

    /// Adds `byteCount` bytes of numbers, which lie at `offset` of this rank's buffer and at `pieceOffset` of the
    /// others' pieces.
    private func sum(
        _ summand: Summand, _ offset: Int, _ pieceOffset: Int, _ byteCount: Int, into target: UnsafeMutableRawPointer,
        _ slotRound: UInt64
    ) {
        let own = window.rank
        unsafe withUnsafeTemporaryAllocation(of: UnsafeRawPointer.self, capacity: window.rankCount) { sources in
            for rank in 0..<window.rankCount {
                let source =
                    unsafe rank == own
                    ? base + offset
                    : window.slot(of: rank, round: slotRound) + (offsetInSlot(of: rank, for: own) + pieceOffset)
                unsafe sources.initializeElement(at: rank, to: UnsafeRawPointer(source))
            }
            unsafe sumInOrder(UnsafeBufferPointer(sources), of: summand, byteCount: byteCount, into: target)
        }
    }

    /// Byte at which the piece for `owner` starts in the slot of rank `rank`. A rank has no piece for itself.
    private func offsetInSlot(of rank: Int, for owner: Int) -> Int {
        (owner < rank ? owner : owner - 1) * pieceBytes
    }

    private enum Owners { case own, others }

    /// Calls `body` with chunks of the pieces of `round`: the segment's owner, where the piece starts in the segment,
    /// and the positions. In parallel where there is enough to do.
    private func forEachChunk(
        of owners: Owners, round: Int, _ body: (_ owner: Int, _ start: Int, _ positions: Range<Int>) -> Void
    ) {
        let ownerCount = owners == .own ? 1 : window.rankCount - 1
        let isWorthwhile = parallel != nil && ownerCount * pieceBytes >= 2 * Self.grainBytes
        let chunkBytes = isWorthwhile ? min(Self.grainBytes, pieceBytes) : pieceBytes
        let chunkCount = (pieceBytes + chunkBytes - 1) / chunkBytes
        func run(_ task: Int) {
            // Each rank begins with its neighbour, so that not all read the same region at once.
            let owner = owners == .own ? window.rank : (window.rank + 1 + task / chunkCount) % window.rankCount
            let piece = segments.piece(round, of: owner, pieceBytes: pieceBytes)
            let start = piece.lowerBound + task % chunkCount * chunkBytes
            guard start < piece.upperBound else { return }
            body(owner, piece.lowerBound, start..<min(start + chunkBytes, piece.upperBound))
        }
        if isWorthwhile, let parallel {
            parallel(ownerCount * chunkCount, run)
        } else {
            for task in 0..<(ownerCount * chunkCount) { run(task) }
        }
    }
}
