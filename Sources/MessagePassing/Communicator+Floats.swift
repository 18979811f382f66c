// Communicator+Floats - parameters and gradients: large buffers of numbers, reduced and gathered in the background.

internal import CMPI
public import Tensors

extension Communicator {
    /// Copies the slice of rank `root` to the slices of all, which have the same count; complete on return.
    /// The corresponding C function is `MPI_Ibcast`.
    public func broadcast(_ slice: FloatSlice, root: Int) throws(MPIError) {
        try enter("MPI_Ibcast")
        try check(root: root, "MPI_Ibcast")
        try unsafe wait(for: [
            startBroadcast(slice.address, .float, count: slice.count, root: root, keeping: slice.arena)
        ])
    }

    /// Replaces every element of `buffer` by its sum over all ranks; collective. Ranks that all share memory add in
    /// rank order. Otherwise the library chooses the order. The corresponding C function is `MPI_Iallreduce`.
    ///
    /// - Parameters:
    ///   - buffer: `[n]`, n the same on every rank; not to be touched until the request is complete.
    ///   - parallel: called inside later calls of this communicator, until the request is complete; nil for one thread.
    public func startAllReduceSum(_ buffer: FloatSlice, parallel: ParallelLoop? = nil) throws(MPIError) -> Request {
        try unsafe startAllReduceSum(
            buffer.address, .float, count: buffer.count, keeping: buffer.arena, parallel)
    }

    /// Replaces every integer of `buffer`, `[n]`, by its sum over all ranks; collective. A sum that does not fit 64
    /// bits wraps around. Integer sums have equal bits in any order.
    public func startAllReduceSum(_ buffer: Int64Slice, parallel: ParallelLoop? = nil) throws(MPIError) -> Request {
        try unsafe startAllReduceSum(
            buffer.address, .int64, count: buffer.count, keeping: buffer.arena, parallel)
    }

    private func startAllReduceSum(
        _ base: UnsafeMutableRawPointer, _ summand: Summand, count: Int, keeping memory: AnyObject,
        _ parallel: ParallelLoop?
    ) throws(MPIError) -> Request {
        try enter("MPI_Iallreduce")
        if let nodes {
            let operation = try unsafe startAllReduceSum(
                base, summand, count: count, keeping: memory, through: nodes, parallel)
            return Request(operation, of: self)
        }
        return Request(
            try unsafe startAllReduce(base, summand.type, count: count, cmpi_sum(), keeping: memory), of: self)
    }

    /// Sums `buffer` over all ranks and gives rank r the r-th segment of the sum; collective. The ranks of a node are
    /// added in rank order, then the nodes in node order. It replaces `MPI_Ireduce_scatter`, see ``PairwiseReduction``.
    ///
    /// - Parameters:
    ///   - buffer: contiguous segments in rank order; not to be written to until the request is complete, and unchanged
    ///     by it.
    ///   - counts: number of elements of each segment, the same on all ranks; may be 0.
    ///   - target: receives this rank's segment; must not overlap `buffer`.
    ///   - isSparse: whether messages leave out blocks of zeros, the same on all ranks. The sum has the same bits.
    ///   - parallel: as in ``startAllReduceSum(_:parallel:)``.
    /// - Throws: an error of code ``MPIError/Code/count`` unless the counts add up to `buffer.count` and this rank's is
    ///   `target.count`; of code ``MPIError/Code/buffer`` when the two overlap.
    public func startReduceScatterSum(
        _ buffer: FloatSlice, counts: [Int], into target: FloatSlice, isSparse: Bool = false,
        parallel: ParallelLoop? = nil
    ) throws(MPIError) -> Request {
        try check(buffer.numbers, counts: counts, into: target.numbers)
        return try unsafe startReduceScatter(
            buffer.address, .float, counts: counts, into: target.address, isSparse: isSparse,
            keeping: [buffer.arena, target.arena], parallel)
    }

    /// Sums the integers of `buffer` over all ranks and gives rank r the r-th segment of the sum; collective. A sum
    /// that does not fit 64 bits wraps around. Integer sums have equal bits in any order.
    public func startReduceScatterSum(
        _ buffer: Int64Slice, counts: [Int], into target: Int64Slice, isSparse: Bool = false,
        parallel: ParallelLoop? = nil
    ) throws(MPIError) -> Request {
        try check(buffer.numbers, counts: counts, into: target.numbers)
        return try unsafe startReduceScatter(
            buffer.address, .int64, counts: counts, into: target.address, isSparse: isSparse,
            keeping: [buffer.arena, target.arena], parallel)
    }

    /// Bytes that this rank has sent in reduce-scatters so far, to ranks with which it shares no memory.
    package var sentReductionBytes: Int { sentInReductions.count }

    private func startReduceScatter(
        _ base: UnsafeMutableRawPointer, _ summand: Summand, counts: [Int], into target: UnsafeMutableRawPointer,
        isSparse: Bool, keeping memory: [AnyObject], _ parallel: ParallelLoop?
    ) throws(MPIError) -> Request {
        if let nodes {
            let operation = try unsafe startReduceScatter(
                base, summand, counts: counts, into: target, isSparse: isSparse, keeping: memory, through: nodes,
                parallel)
            return Request(operation, of: self)
        }
        return Request(
            try unsafe startReduceScatter(
                base, summand, counts: counts, into: target, isSparse: isSparse, keeping: memory, parallel), of: self)
    }

    /// A slice of numbers of any kind: its memory, and its range in it.
    fileprivate struct Numbers {
        let arena: Arena
        let range: Range<Int>
    }

    /// Throws unless a reduction of `buffer` in segments of `counts` can go to `target`.
    private func check(_ buffer: Numbers, counts: [Int], into target: Numbers) throws(MPIError) {
        let function = "MPI_Ireduce_scatter"
        try enter(function)
        try check(counts: counts, of: buffer.range.count, function)
        guard target.range.count == counts[rank] else {
            throw site.error(
                .count, function,
                "the target has room for \(target.range.count) numbers, this rank's count is \(counts[rank])")
        }
        guard target.arena !== buffer.arena || !target.range.overlaps(buffer.range) else {
            throw site.error(.buffer, function, "the target overlaps the buffer that is reduced")
        }
    }

    /// Gives every rank all segments of `buffer`, of which each rank has filled its own; collective. Of several
    /// gathers, the one that was started first completes first. It replaces `MPI_Iallgatherv`, see ``PairwiseGather``.
    ///
    /// - Parameters:
    ///   - buffer: contiguous segments in rank order, this rank's already in place; not to be touched until the request
    ///     is complete.
    ///   - counts: number of elements of each segment, the same on all ranks; may be 0.
    ///   - parallel: as in ``startAllReduceSum(_:parallel:)``.
    /// - Throws: an error of code ``MPIError/Code/count`` unless the counts add up to `buffer.count`.
    public func startAllGather(
        inPlace buffer: FloatSlice, counts: [Int], parallel: ParallelLoop? = nil
    ) throws(MPIError) -> Request {
        let function = "MPI_Iallgatherv"
        try enter(function)
        try check(counts: counts, of: buffer.count, function)
        return try unsafe startAllGather(
            inPlace: buffer.address, .float, counts: counts, keeping: buffer.arena, parallel)
    }

    /// Gives every rank all segments of a bfloat16 `buffer`, of which each rank has filled its own; collective.
    public func startAllGather(
        inPlace buffer: BFloat16Slice, counts: [Int], parallel: ParallelLoop? = nil
    ) throws(MPIError) -> Request {
        let function = "MPI_Iallgatherv"
        try enter(function)
        try check(counts: counts, of: buffer.count, function)
        return try unsafe startAllGather(
            inPlace: buffer.address, .uint16, counts: counts, keeping: buffer.arena, parallel)
    }

    private func startAllGather(
        inPlace base: UnsafeMutableRawPointer, _ type: ElementType, counts: [Int], keeping memory: AnyObject,
        _ parallel: ParallelLoop?
    ) throws(MPIError) -> Request {
        // On a single node messages are copied straight from process to process, through the window twice.
        if let nodes, let partners = nodes.partners {
            let operation = try unsafe startAllGather(
                base, type, counts: counts, keeping: memory, between: partners, through: nodes, parallel)
            return Request(operation, of: self)
        }
        return Request(try unsafe startPairwiseGather(base, type, counts: counts, keeping: memory), of: self)
    }

    private func check(counts: [Int], of count: Int, _ function: String) throws(MPIError) {
        try check(counts: counts, function)
        let sum = counts.reduce(0, +)
        guard sum == count else {
            throw site.error(.count, function, "the counts add up to \(sum), the buffer has \(count) numbers")
        }
    }
}

extension BFloat16Slice {
    /// Where the first element lies; valid while the arena is kept.
    fileprivate var address: UnsafeMutableRawPointer { unsafe UnsafeMutableRawPointer(view.pointer) }
}

extension FloatSlice {
    /// Where the first element lies; valid while the arena is kept.
    var address: UnsafeMutableRawPointer { unsafe UnsafeMutableRawPointer(view.pointer) }

    fileprivate var numbers: Communicator.Numbers {
        Communicator.Numbers(arena: arena, range: offset..<(offset + count))
    }
}

extension Int64Slice {
    /// Where the first element lies; valid while the arena is kept.
    fileprivate var address: UnsafeMutableRawPointer { unsafe UnsafeMutableRawPointer(view.pointer) }

    fileprivate var numbers: Communicator.Numbers {
        Communicator.Numbers(arena: arena, range: offset..<(offset + count))
    }
}
