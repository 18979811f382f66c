// Snapshot - a copy of what a rank owns, from which a shard is written while training goes on.

internal import Kernels
internal import Sharding
internal import Synchronization
internal import Tensors

/// Parameters in fp32 and both moments of one rank's share.
///
/// The memory is taken, and touched, once at the start of a run, so that a save can neither fail for want of it nor
/// wait for the kernel to provide it. From ``take(_:pool:)`` to ``release()`` the content stands still and may be read
/// on another thread.
final class Snapshot: Sendable {
    /// The owned ranges of the flat space, ascending.
    let runs: [Range<Int>]
    /// The elements of the runs, one run after another.
    let parameters: FloatSlice
    let firstMoment: FloatSlice
    let secondMoment: FloatSlice
    private let isHeld = Atomic<Bool>(false)

    init(_ partition: Partition, rank: Int) {
        runs = partition.runs(rank: rank)
        let count = partition.count(rank: rank)
        parameters = Arena(count: count).all
        firstMoment = Arena(count: count).all
        secondMoment = Arena(count: count).all
    }

    /// Copies what `optimizer` owns and holds it until ``release()``.
    ///
    /// Traps while an earlier content is still held: its reader would write a mixture of two steps.
    func take(_ optimizer: ShardedOptimizer, pool: ThreadPool) {
        let wasHeld = isHeld.exchange(true, ordering: .acquiring)
        precondition(!wasHeld, "a snapshot is taken while the last one is still being written")
        var offset = 0
        for piece in optimizer.ownedParameters {
            pool.copyStreaming(piece, into: parameters[offset..<(offset + piece.count)])
            offset += piece.count
        }
        precondition(offset == parameters.count, "\(offset) parameters are owned, \(parameters.count) were expected")
        pool.copyStreaming(optimizer.firstMoment, into: firstMoment)
        pool.copyStreaming(optimizer.secondMoment, into: secondMoment)
    }

    /// Ends the reading: the next content may be taken.
    func release() { isHeld.store(false, ordering: .releasing) }
}
