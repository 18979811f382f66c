// FP32Accumulator - gradient accumulation in fp32, in the buffer that backward writes.

internal import Kernels
internal import MessagePassing
internal import Optimization
internal import Tensors

/// Leaves the addition of micro-batches to backward, and reduces its buffer.
final class FP32Accumulator: GradientAccumulator {
    private let layout: ShardLayout
    private let gradient: FloatSlice
    /// Reduced gradient of the owned elements; empty where `gradient` itself holds it.
    private let shard: FloatSlice
    private let pool: ThreadPool
    /// Whether the reduction leaves this rank's own sum as it is.
    private let keepsLocalSum: Bool

    /// - Parameter gradient: the buffer that backward writes, `[P]`.
    init(_ layout: ShardLayout, reduction: GradientReduction, gradient: FloatSlice, pool: ThreadPool) {
        self.layout = layout
        self.gradient = gradient
        self.pool = pool
        let rankCount = layout.partition.rankCount
        let scatters = reduction.scatters(over: rankCount)
        shard = Arena(count: scatters ? layout.count : 0).all
        keepsLocalSum = rankCount == 1 || scatters
    }

    var addsInBackward: Bool { true }
    var overflow: FixedPoint.Overflow { .none }

    func beginStep() {}

    func add(from index: Int, isFirst: Bool) {}

    func clear() { pool.clear(gradient) }

    func startReduction(bucket: Int, _ exchange: any ShardExchange) throws(MPIError) -> Request? {
        try exchange.startReduction(bucket: bucket, of: gradient, into: shard)
    }

    func finishReduction() {}

    func owned(_ bucket: Int) -> FloatSlice {
        shard.count > 0 ? shard[layout.shardRange(bucket)] : gradient[layout.owned(bucket)]
    }

    var localIsFinite: Bool? {
        guard keepsLocalSum else { return nil }
        return GradientNorm.blockSquares(pool, gradient, blockSize: Partition.blockSize).allSatisfy(\.isFinite)
    }
}
