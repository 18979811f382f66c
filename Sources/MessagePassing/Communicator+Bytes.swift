// Communicator+Bytes - barrier, and messages of bytes: configurations, reports, hashes.

internal import CMPI

extension Communicator {
    /// Returns once every rank has called it. The corresponding C function is `MPI_Ibarrier`.
    public func barrier() throws(MPIError) {
        try enter("MPI_Ibarrier")
        try wait(for: [startBarrier()])
    }

    /// Gives every rank the bytes of rank `root`. The corresponding C function is `MPI_Ibcast`, called first for the
    /// length.
    ///
    /// - Parameter bytes: the message on `root`; not looked at on the others, where it may be nil.
    /// - Returns: the message of `root`, also on `root`.
    /// - Throws: an error of code ``MPIError/Code/argument`` on a `root` without bytes.
    public func broadcast(_ bytes: [UInt8]?, root: Int) throws(MPIError) -> [UInt8] {
        try enter("MPI_Ibcast")
        try check(root: root, "MPI_Ibcast")
        let own = rank == root ? bytes : []
        guard let own else { throw site.error(.argument, "MPI_Ibcast", "the root has no bytes to broadcast") }
        let length = PinnedArray<Int>([own.count])
        try unsafe wait(for: [
            startBroadcast(UnsafeMutableRawPointer(length.pointer), .int64, count: 1, root: root, keeping: length)
        ])
        let count = length.array[0]
        let message = rank == root ? PinnedArray(own) : PinnedArray<UInt8>(repeating: 0, count: count)
        try unsafe wait(for: [
            startBroadcast(UnsafeMutableRawPointer(message.pointer), .byte, count: count, root: root, keeping: message)
        ])
        return message.array
    }

    /// The bytes of all ranks, on every rank: element r is from rank r. The lengths may differ; collective.
    /// The corresponding C function is `MPI_Iallgatherv`, called first for the lengths.
    public func allGather(_ bytes: [UInt8]) throws(MPIError) -> [[UInt8]] {
        try enter("MPI_Iallgatherv")
        let counts = try allGatherCounts(bytes.count)
        let all = PinnedArray<UInt8>(repeating: 0, count: counts.reduce(0, +))
        let start = counts[..<rank].reduce(0, +)
        for (index, byte) in bytes.enumerated() { unsafe all.pointer[start + index] = byte }
        try unsafe wait(for: [
            startAllGather(UnsafeMutableRawPointer(all.pointer), .byte, counts: counts, keeping: all)
        ])
        return Self.split(all.array, counts)
    }

    /// The bytes of all ranks, on rank `root`: element r is from rank r. Nil on the other ranks. The lengths may
    /// differ; collective. The corresponding C function is `MPI_Igatherv`, after an `MPI_Iallgatherv` of the lengths.
    public func gather(_ bytes: [UInt8], root: Int) throws(MPIError) -> [[UInt8]]? {
        try enter("MPI_Igatherv")
        try check(root: root, "MPI_Igatherv")
        if isAlone { return [bytes] }
        let counts = try allGatherCounts(bytes.count)
        let own = PinnedArray(bytes)
        let all = PinnedArray<UInt8>(repeating: 0, count: rank == root ? counts.reduce(0, +) : 0)
        try unsafe wait(for: [
            startGather(
                UnsafeMutableRawPointer(own.pointer), .byte, counts: counts,
                into: UnsafeMutableRawPointer(all.pointer), root: root, keeping: [own, all])
        ])
        return rank == root ? Self.split(all.array, counts) : nil
    }

    /// `count` of every rank, in rank order.
    func allGatherCounts(_ count: Int) throws(MPIError) -> [Int] {
        let counts = PinnedArray<Int>(repeating: 0, count: size)
        unsafe counts.pointer[rank] = count
        try unsafe wait(for: [
            startAllGather(
                UnsafeMutableRawPointer(counts.pointer), .int64, counts: [Int](repeating: 1, count: size),
                keeping: counts)
        ])
        return counts.array
    }

    /// Throws unless `root` is a rank.
    func check(root: Int, _ function: String) throws(MPIError) {
        guard (0..<size).contains(root) else {
            throw site.error(.root, function, "the root is \(root), the ranks are 0 to \(size - 1)")
        }
    }

    /// Cuts `bytes` into pieces of `counts`.
    private static func split(_ bytes: [UInt8], _ counts: [Int]) -> [[UInt8]] {
        var start = 0
        return counts.map { count in
            defer { start += count }
            return Array(bytes[start..<(start + count)])
        }
    }
}
