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
    /// Integer sums have equal bits in any order. A sum that does not fit 64 bits wraps around.
    ///
    /// - Parameters:
    ///   - buffer: `[n]`, n the same on every rank; not to be touched until the request is complete.
    ///   - parallel: called inside later calls of this communicator, until the request is complete; nil for one thread.
    package func startAllReduceSum<Numbers: SummableSlice>(
        _ buffer: Numbers, parallel: ParallelLoop? = nil
    ) throws(MPIError) -> Request {
        try enter("MPI_Iallreduce")
        if let nodes {
            let operation = try unsafe startAllReduceSum(
                buffer.address, Numbers.summand, count: buffer.count, keeping: buffer.arena, through: nodes, parallel)
            return Request(operation, of: self)
        }
        let operation = try unsafe startAllReduce(
            buffer.address, Numbers.element, count: buffer.count, cmpi_sum(), keeping: buffer.arena)
        return Request(operation, of: self)
    }

    /// Sums `buffer` over all ranks and gives rank r the r-th segment of the sum; collective. The ranks of a node are
    /// added in rank order, then the nodes in node order. It replaces `MPI_Ireduce_scatter`, see ``PairwiseReduction``.
    ///
    /// Integer sums have equal bits in any order. A sum that does not fit 64 bits wraps around.
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
    package func startReduceScatterSum<Numbers: SummableSlice>(
        _ buffer: Numbers, counts: [Int], into target: Numbers, isSparse: Bool = false, parallel: ParallelLoop? = nil
    ) throws(MPIError) -> Request {
        try check(buffer, counts: counts, into: target)
        let owners: [AnyObject] = [buffer.arena, target.arena]
        if let nodes {
            let operation = try unsafe startReduceScatter(
                buffer.address, Numbers.summand, counts: counts, into: target.address, isSparse: isSparse,
                keeping: owners, through: nodes, parallel)
            return Request(operation, of: self)
        }
        let operation = try unsafe startReduceScatter(
            buffer.address, Numbers.summand, counts: counts, into: target.address, isSparse: isSparse,
            keeping: owners, parallel)
        return Request(operation, of: self)
    }

    /// Bytes that this rank has sent in reduce-scatters so far, to ranks with which it shares no memory.
    package var sentReductionBytes: Int { sentInReductions.count }

    /// Throws unless a reduction of `buffer` in segments of `counts` can go to `target`.
    private func check<Numbers: SummableSlice>(
        _ buffer: Numbers, counts: [Int], into target: Numbers
    ) throws(MPIError) {
        let function = "MPI_Ireduce_scatter"
        try enter(function)
        try check(counts: counts, of: buffer.count, function)
        guard target.count == counts[rank] else {
            throw site.error(
                .count, function,
                "the target has room for \(target.count) numbers, this rank's count is \(counts[rank])")
        }
        guard !target.overlaps(buffer) else {
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
    package func startAllGather<Numbers: NumberSlice>(
        inPlace buffer: Numbers, counts: [Int], parallel: ParallelLoop? = nil
    ) throws(MPIError) -> Request {
        let function = "MPI_Iallgatherv"
        try enter(function)
        try check(counts: counts, of: buffer.count, function)
        // On a single node messages are copied straight from process to process, through the window twice.
        if let nodes, let partners = nodes.partners {
            let operation = try unsafe startAllGather(
                buffer.address, Numbers.element, counts: counts, keeping: buffer.arena, between: partners,
                through: nodes, parallel)
            return Request(operation, of: self)
        }
        let operation = try unsafe startPairwiseGather(
            buffer.address, Numbers.element, counts: counts, keeping: buffer.arena)
        return Request(operation, of: self)
    }

    private func check(counts: [Int], of count: Int, _ function: String) throws(MPIError) {
        try check(counts: counts, function)
        let sum = counts.reduce(0, +)
        guard sum == count else {
            throw site.error(.count, function, "the counts add up to \(sum), the buffer has \(count) numbers")
        }
    }
}
