// Communicator+Scalars - a few numbers of every rank: sums, extremes, counters.

internal import CMPI

extension Communicator {
    /// The values of all ranks, one rank after another, on every rank; collective.
    /// The corresponding C function is `MPI_Iallgatherv`.
    ///
    /// - Parameter counts: number of values of each rank, the same on all; values may be none.
    /// - Throws: an error of code ``MPIError/Code/count`` unless there is a count for each rank and this rank's is
    ///   `values.count`.
    public func allGather(_ values: [Double], counts: [Int]) throws(MPIError) -> [Double] {
        try enter("MPI_Iallgatherv")
        try check(counts: counts, "MPI_Iallgatherv")
        guard counts[rank] == values.count else {
            throw site.error(
                .count, "MPI_Iallgatherv", "this rank has \(values.count) values, its count is \(counts[rank])")
        }
        let all = PinnedArray<Double>(repeating: 0, count: counts.reduce(0, +))
        let start = counts[..<rank].reduce(0, +)
        for (index, value) in values.enumerated() { unsafe all.pointer[start + index] = value }
        try unsafe wait(for: [
            startAllGather(UnsafeMutableRawPointer(all.pointer), .double, counts: counts, keeping: all)
        ])
        return all.array
    }

    /// The sum over all ranks of each value, with the same bits on every rank; collective. The values are gathered and
    /// added in rank order, in double precision.
    ///
    /// Why not a reduction of the library: it may add in any order.
    ///
    /// - Parameter values: as many on every rank.
    public func sumInRankOrder(_ values: [Double]) throws(MPIError) -> [Double] {
        let all = try allGather(values, counts: [Int](repeating: values.count, count: size))
        return values.indices.map { index in
            (0..<size).reduce(0) { sum, rank in sum + all[rank * values.count + index] }
        }
    }

    /// The largest `value` of all ranks. The corresponding C function is `MPI_Iallreduce` with `MPI_MAX`.
    public func maximum(_ value: Int) throws(MPIError) -> Int {
        try unsafe combine([value], cmpi_maximum())[0]
    }

    /// The smallest `value` of all ranks. The corresponding C function is `MPI_Iallreduce` with `MPI_MIN`.
    public func minimum(_ value: Int) throws(MPIError) -> Int {
        try unsafe combine([value], cmpi_minimum())[0]
    }

    /// The sum over all ranks of each value, as many on every rank; collective. A sum that does not fit 64 bits wraps
    /// around. The corresponding C function is `MPI_Iallreduce` with `MPI_SUM`.
    public func sum(_ values: [Int]) throws(MPIError) -> [Int] {
        try unsafe combine(values, cmpi_sum())
    }

    /// Combines integers only, because their combinations do not depend on the order.
    private func combine(_ values: [Int], _ combination: MPI_Op) throws(MPIError) -> [Int] {
        try enter("MPI_Iallreduce")
        let all = PinnedArray(values)
        try unsafe wait(for: [
            startAllReduce(
                UnsafeMutableRawPointer(all.pointer), .int64, count: values.count, combination, keeping: all)
        ])
        return all.array
    }

    /// Throws unless there is one count, not negative, for each rank.
    func check(counts: [Int], _ function: String) throws(MPIError) {
        guard counts.count == size else {
            throw site.error(.count, function, "there are \(counts.count) counts for \(size) ranks")
        }
        if let rank = counts.firstIndex(where: { $0 < 0 }) {
            throw site.error(.count, function, "the count of rank \(rank) is negative (\(counts[rank]))")
        }
    }
}
