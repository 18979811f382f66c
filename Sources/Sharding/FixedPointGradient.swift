// FixedPointGradient - the step's gradient in 64-bit integers, whose sum over units and ranks has no order (design section 7).

internal import Kernels
internal import MessagePassing
internal import Optimization
internal import Tensors

/// Where `training.reproducible` adds gradients: each unit's fp32 gradient is converted once and added exactly, so the sum
/// has the same bits whichever rank computed which unit.
final class FixedPointGradient {
    private let format: FixedPoint
    private let partition: Partition
    private let rank: Int
    private let reduction: GradientReduction
    private let pool: ThreadPool
    /// This rank's sum over its units, the flat space; with `all_reduce`, later the sum of all ranks.
    private let sums: Int64Slice
    /// With `reduce_scatter` the sums of what this rank owns, in the order of the optimizer's shard.
    private let shard: Int64Slice
    /// Everything from here on of the current unit has been added.
    private var added: Int
    /// The worst overflow of this step's conversions on this rank.
    private(set) var overflow = FixedPoint.Overflow.none

    init(_ format: FixedPoint, partition: Partition, rank: Int, reduction: GradientReduction, pool: ThreadPool) {
        self.format = format
        self.partition = partition
        self.rank = rank
        self.reduction = reduction
        self.pool = pool
        let count = partition.elementCount
        sums = Int64Slice(count: count)
        let needsShard = partition.rankCount > 1 && reduction == .reduceScatter
        shard = Int64Slice(count: needsShard ? partition.count(rank: rank) : 0)
        added = count
    }

    /// Bytes that one of these allocates.
    static func byteCount(partition: Partition, rank: Int, reduction: GradientReduction) -> Int {
        let needsShard = partition.rankCount > 1 && reduction == .reduceScatter
        return 8 * (partition.elementCount + (needsShard ? partition.count(rank: rank) : 0))
    }

    /// Adds what is final of a unit's gradient.
    ///
    /// - Parameters:
    ///   - position: everything at or behind it is final; falls to 0 within a unit.
    ///   - isFirst: whether the unit is the rank's first of this sum.
    func add(_ gradient: FloatSlice, from position: Int, isFirst: Bool) {
        if position < added {
            let range = position..<added
            overflow = max(overflow, pool.add(gradient[range], to: sums[range], in: format, replacing: isFirst))
        }
        added = position == 0 ? sums.count : position
    }

    /// A rank without a unit: zeros.
    func clear() { pool.clear(sums) }

    /// Forgets the overflow of the last step.
    func beginStep() {
        overflow = .none
        added = sums.count
    }

    /// Starts to sum a bucket over all ranks.
    ///
    /// - Parameters:
    ///   - place: where the bucket's owned part lies in the shard.
    ///   - isSparse: whether most of the bucket is zeros.
    func startReduction(
        bucket: Int, place: Range<Int>, isSparse: Bool, _ communicator: Communicator, parallel: ParallelLoop?
    ) throws(MPIError) -> Request {
        let buffer = sums[partition.buckets[bucket]]
        switch reduction {
        case .reduceScatter:
            return try communicator.startReduceScatterSum(
                buffer, counts: partition.counts(bucket: bucket), into: shard[place], isSparse: isSparse,
                parallel: parallel)
        case .allReduce:
            return try communicator.startAllReduceSum(buffer, parallel: parallel)
        }
    }

    /// Writes the sums of a bucket's owned part in fp32 to their places in the flat `gradient`.
    func store(bucket: Int, place: Range<Int>, into gradient: FloatSlice) {
        let owned = partition.owned(bucket: bucket, rank: rank)
        pool.convert(shard.count > 0 ? shard[place] : sums[owned], in: format, into: gradient[owned])
    }
}
