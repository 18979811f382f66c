// FixedPointAccumulator - gradient accumulation in 64-bit integers, whose sum has no order (design section 7).

internal import Kernels
internal import MessagePassing
internal import Optimization
internal import Tensors

/// Adds gradients for `training.reproducible`: each micro-batch's fp32 gradient is converted once and added exactly.
///
/// The sum has the same bits whichever rank computed which micro-batch.
final class FixedPointAccumulator: GradientAccumulator {
    private let format: FixedPoint
    private let layout: ShardLayout
    private let gradient: FloatSlice
    private let pool: ThreadPool
    /// This rank's sum over its micro-batches, `[P]`; with `all_reduce`, later the sum of all ranks.
    private let sums: Int64Slice
    /// Reduced sums of the owned elements; empty where `sums` itself holds them.
    private let shard: Int64Slice
    /// Every element of the current micro-batch from this flat index on has been added.
    private var added: Int
    private(set) var overflow = FixedPoint.Overflow.none

    /// - Parameter gradient: the buffer that backward writes for each micro-batch, `[P]`.
    init(
        _ format: FixedPoint, _ layout: ShardLayout, reduction: GradientReduction, gradient: FloatSlice,
        pool: ThreadPool
    ) {
        self.format = format
        self.layout = layout
        self.gradient = gradient
        self.pool = pool
        let count = layout.partition.elementCount
        sums = Int64Slice(count: count)
        shard = Int64Slice(count: reduction.scatters(over: layout.partition.rankCount) ? layout.count : 0)
        added = count
    }

    /// Bytes that one accumulator allocates.
    static func byteCount(partition: Partition, rank: Int, reduction: GradientReduction) -> Int {
        let scatters = reduction.scatters(over: partition.rankCount)
        return 8 * (partition.elementCount + (scatters ? partition.count(rank: rank) : 0))
    }

    var addsInBackward: Bool { false }

    func beginStep() {
        overflow = .none
        added = sums.count
    }

    func add(from index: Int, isFirst: Bool) {
        if index < added {
            let range = index..<added
            overflow = max(overflow, pool.add(gradient[range], to: sums[range], in: format, replacing: isFirst))
        }
        added = index == 0 ? sums.count : index
    }

    func clear() { pool.clear(sums) }

    func startReduction(bucket: Int, _ exchange: any ShardExchange) throws(MPIError) -> Request? {
        try exchange.startReduction(bucket: bucket, of: sums, into: shard)
    }

    /// Writes the owned sums in fp32 to their places in the gradient, which no micro-batch needs any more.
    func finishReduction() {
        for bucket in layout.partition.buckets.indices {
            let owned = layout.owned(bucket)
            pool.convert(
                shard.count > 0 ? shard[layout.shardRange(bucket)] : sums[owned], in: format, into: gradient[owned])
        }
    }

    func owned(_ bucket: Int) -> FloatSlice { gradient[layout.owned(bucket)] }

    var localIsFinite: Bool? { overflow != .notFinite }
}
