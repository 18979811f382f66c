// Collectives - the nonblocking collectives on untyped memory: those of MPI, cut into chunks, and the module's own.
//
// Only the functions with types and checked arguments call these. `base` is the address of the first element of the
// whole index space, `memory` owns it. `handle` is nil for all ranks of the job. An operation with another handle is
// part of a larger operation, which polls it.

internal import CMPI

extension Communicator {
    /// The corresponding C function is `MPI_Ibarrier`.
    func startBarrier() throws(MPIError) -> MessageOperation {
        // One window, since the operation has no elements to cut.
        try unsafe start("MPI_Ibarrier", [0..<1], keeping: [], in: nil) { _, handle, request in
            unsafe MPI_Ibarrier(handle.raw, request)
        }
    }

    /// Copies `count` elements from rank `root` to all. The corresponding C function is `MPI_Ibcast`.
    func startBroadcast(
        _ base: UnsafeMutableRawPointer, _ type: ElementType, count: Int, root: Int, keeping memory: AnyObject,
        in handle: CommunicatorHandle? = nil
    ) throws(MPIError) -> MessageOperation {
        let windows = Chunking(counts: [count], limit: chunkLimit).windows
        return try unsafe start("MPI_Ibcast", windows, keeping: [memory], in: handle) { window, handle, request in
            unsafe MPI_Ibcast(
                base + window.lowerBound * type.stride, Int32(window.count), type.datatype, Int32(root), handle.raw,
                request)
        }
    }

    /// Combines `count` elements of every rank, in place. The corresponding C function is `MPI_Iallreduce`.
    func startAllReduce(
        _ base: UnsafeMutableRawPointer, _ type: ElementType, count: Int, _ combination: MPI_Op,
        keeping memory: AnyObject, in handle: CommunicatorHandle? = nil
    ) throws(MPIError) -> MessageOperation {
        let windows = Chunking(counts: [count], limit: chunkLimit).windows
        return try unsafe start("MPI_Iallreduce", windows, keeping: [memory], in: handle) { window, handle, request in
            unsafe MPI_Iallreduce(
                cmpi_in_place(), base + window.lowerBound * type.stride, Int32(window.count), type.datatype,
                combination, handle.raw, request)
        }
    }

    /// Sums segments of `counts` elements over the ranks of `handle`; segment r ends up at `target` of its rank r. With
    /// `isSparse`, the same on all ranks, blocks of zeros are not sent.
    func startReduceScatter(
        _ base: UnsafeMutableRawPointer, _ summand: Summand, counts: [Int], into target: UnsafeMutableRawPointer,
        isSparse: Bool, keeping memory: [AnyObject], in handle: CommunicatorHandle? = nil, _ parallel: ParallelLoop?
    ) throws(MPIError) -> any Operation {
        let operation = unsafe PairwiseReduction(
            base, summand, counts: counts, into: target, keeping: memory, in: handle ?? world, number: reductionCount,
            packs: isSparse, limit: chunkLimit, scratch: scratch, sent: sentInReductions, parallel: parallel)
        reductionCount += 1
        try begin(operation, isPart: handle != nil) { () throws(MPIError) in _ = try operation.test(at: site) }
        return operation
    }

    /// Copies segment r of `counts` elements from rank r to the same place of all.
    /// The corresponding C function is `MPI_Iallgatherv`.
    func startAllGather(
        _ base: UnsafeMutableRawPointer, _ type: ElementType, counts: [Int], keeping memory: AnyObject
    ) throws(MPIError) -> MessageOperation {
        let chunking = Chunking(counts: counts, limit: chunkLimit)
        let layouts = WindowLayouts(chunking)
        let owners: [AnyObject] = [memory, layouts]
        return try unsafe start("MPI_Iallgatherv", chunking.windows, keeping: owners, in: nil) {
            window, handle, request in
            unsafe MPI_Iallgatherv(
                cmpi_in_place(), 0, type.datatype, base + window.lowerBound * type.stride, layouts.counts(of: window),
                layouts.displacements(of: window), type.datatype, handle.raw, request)
        }
    }

    /// Copies segment r of `counts` elements from rank r to the same place of all, by messages between pairs of ranks.
    /// For large buffers: of several gathers, the one that was started first completes first.
    ///
    /// - Parameter members: the ranks of the job that form `handle`, in its order: the segments that are exchanged.
    func startPairwiseGather(
        _ base: UnsafeMutableRawPointer, _ type: ElementType, counts: [Int], keeping memory: AnyObject,
        members: [Int]? = nil, in handle: CommunicatorHandle? = nil
    ) throws(MPIError) -> any Operation {
        let all = segments(of: counts)
        let operation = unsafe PairwiseGather(
            base, type, segments: members?.map { all[$0] } ?? all, keeping: [memory], in: handle ?? world,
            number: gatherCount, limit: chunkLimit, line: gatherLine)
        gatherCount += 1
        try begin(operation, isPart: handle != nil) { () throws(MPIError) in _ = try operation.test(at: site) }
        return operation
    }

    /// Copies the `counts[rank]` elements at `own` of every rank to its segment of `base` on rank `root`; `base` is not
    /// used on the others. The corresponding C function is `MPI_Igatherv`.
    func startGather(
        _ own: UnsafeMutableRawPointer, _ type: ElementType, counts: [Int], into base: UnsafeMutableRawPointer,
        root: Int, keeping memory: [AnyObject]
    ) throws(MPIError) -> MessageOperation {
        let chunking = Chunking(counts: counts, limit: chunkLimit)
        let layouts = WindowLayouts(chunking)
        let owners = memory + [layouts]
        return try unsafe start("MPI_Igatherv", chunking.windows, keeping: owners, in: nil) { window, handle, request in
            unsafe MPI_Igatherv(
                own + chunking.offset(of: rank, in: window) * type.stride,
                Int32(chunking.part(of: rank, in: window).count), type.datatype,
                base + (rank == root ? window.lowerBound * type.stride : 0), layouts.counts(of: window),
                layouts.displacements(of: window), type.datatype, Int32(root), handle.raw, request)
        }
    }
}

/// Counts and displacements of all windows of one operation: C keeps their addresses until the operation is complete.
private final class WindowLayouts {
    private let segmentCount: Int
    /// For each window the counts of all segments, and then the displacements of all segments.
    private let values: PinnedArray<Int32>
    private let firstValue: [Int: Int]

    init(_ chunking: Chunking) {
        segmentCount = chunking.segmentCount
        var values: [Int32] = []
        var firstValue: [Int: Int] = [:]
        for window in chunking.windows {
            firstValue[window.lowerBound] = values.count
            let layout = chunking.layout(of: window)
            values += layout.counts + layout.displacements
        }
        self.values = PinnedArray(values)
        self.firstValue = firstValue
    }

    func counts(of window: Range<Int>) -> UnsafePointer<Int32> {
        guard let first = firstValue[window.lowerBound] else { preconditionFailure("no window starts at \(window)") }
        return unsafe UnsafePointer(values.pointer + first)
    }

    func displacements(of window: Range<Int>) -> UnsafePointer<Int32> {
        unsafe counts(of: window) + segmentCount
    }
}
