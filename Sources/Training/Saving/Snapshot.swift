// Snapshot - a copy of a rank's shard, which is written while training goes on.

internal import Kernels
internal import Sharding
internal import Synchronization
internal import Tensors

/// Parameters in fp32 and optimizer state of one rank's share.
///
/// The memory is taken, and touched, once at the start of a run, so that a save can neither fail for want of it nor
/// wait for the kernel to provide it. From ``take(_:pool:)`` to ``release()`` the content stands still and may be read
/// on another thread.
final class Snapshot: Sendable {
    /// The owned ranges of the flat space, ascending.
    let runs: [Range<Int>]
    /// The elements of the runs, one run after another.
    let parameters: FloatSlice
    let state: [StateTensor]
    private let isHeld = Atomic<Bool>(false)

    /// - Parameter stateTensors: names of the state tensors that the update rule keeps.
    init(_ partition: Partition, rank: Int, stateTensors: [String]) {
        runs = partition.runs(rank: rank)
        let count = partition.count(rank: rank)
        parameters = Arena(count: count).all
        state = stateTensors.map { StateTensor(name: $0, values: Arena(count: count).all) }
    }

    /// Copies the owned parameters and state of `optimizer` and holds them until ``release()``.
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
        precondition(optimizer.state.map(\.name) == state.map(\.name), "the snapshot is of another update rule")
        for (source, target) in zip(optimizer.state, state) {
            pool.copyStreaming(source.values, into: target.values)
        }
    }

    /// Ends the reading: the next content may be taken.
    func release() { isHeld.store(false, ordering: .releasing) }
}
