// StepGradient - a step's gradient on its way: micro-batches are added, buckets reduced as soon as they are final.

internal import Kernels
internal import MessagePassing
internal import Tensors

/// The machinery behind ``AccumulatingGradient`` and ``ReducedGradient``.
///
/// A step has one sum, or with `normalization: reference` one for each accumulation step. Several sums are scaled one by one
/// before they are added.
final class StepGradient {
    let accumulator: any GradientAccumulator
    private let layout: ShardLayout
    private let gradient: FloatSlice
    private let inFlight: ExchangeInFlight
    private let pool: ThreadPool
    /// Sums of a step: its gradient accumulation steps.
    private let sumCount: Int
    /// Scaled sums of the earlier accumulation steps, `[P]`; empty unless there are several.
    private let scaledSum: FloatSlice
    /// Number of the running sum.
    private var sum = 0
    /// Micro-batches of this rank in the running sum, and the number of the current one.
    private var microBatches = 0
    private var microBatch = 0
    private var startedBuckets = 0

    /// - Parameter gradient: the buffer that backward writes, `[P]`.
    init(
        _ accumulator: any GradientAccumulator, _ layout: ShardLayout, gradient: FloatSlice, accumulationSteps: Int,
        inFlight: ExchangeInFlight, pool: ThreadPool
    ) {
        self.accumulator = accumulator
        self.layout = layout
        self.gradient = gradient
        self.inFlight = inFlight
        self.pool = pool
        sumCount = accumulationSteps
        scaledSum = Arena(count: accumulationSteps > 1 ? gradient.count : 0).all
    }

    // MARK: Accumulation

    func beginStep() {
        precondition(startedBuckets == 0, "the step before was given up after its reduction had begun")
        accumulator.beginStep()
        sum = 0
    }

    func beginSum(microBatches count: Int) {
        (microBatches, microBatch) = (count, -1)
    }

    func beginMicroBatch() {
        microBatch += 1
        precondition(microBatch < microBatches, "a sum of \(microBatches) micro-batches gets another one")
    }

    /// Whether backward adds the current micro-batch to the earlier ones.
    var backwardAdds: Bool { accumulator.addsInBackward && microBatch > 0 }

    /// Whether ``isFinal(from:)`` does anything in the current micro-batch.
    var usesFinalElements: Bool { !accumulator.addsInBackward || reducesNow }

    /// Whether nothing follows in the running sum, and the reductions of its final buckets may start.
    private var reducesNow: Bool { reducesEachSum && microBatch + 1 == microBatches }

    /// Whether each sum is reduced before it is scaled.
    ///
    /// Why: scaled fixed-point sums of fewer micro-batches would round differently on other numbers of ranks. In fp32 the
    /// scaled sum of all is reduced once.
    private var reducesEachSum: Bool { sumCount == 1 || !accumulator.addsInBackward }

    func isFinal(from index: Int) throws(MPIError) {
        accumulator.add(from: index, isFirst: microBatch == 0)
        if reducesNow { try startReductions(from: index) }
    }

    func contributeZeros() throws(MPIError) {
        accumulator.clear()
        if reducesEachSum { try startReductions(from: 0) }
    }

    // MARK: Reduction

    /// Starts the reduction of every bucket at or behind the flat `index`, and lets running ones move.
    func startReductions(from index: Int) throws(MPIError) {
        let buckets = layout.partition.buckets
        while startedBuckets < buckets.count && buckets[startedBuckets].lowerBound >= index {
            let bucket = startedBuckets
            startedBuckets += 1
            inFlight.add(reduction: try accumulator.startReduction(bucket: bucket, inFlight.exchange))
        }
        try inFlight.moveReductions()
    }

    private func waitForReductions() throws(MPIError) {
        precondition(startedBuckets == layout.partition.buckets.count, "a bucket's gradient was never final")
        try inFlight.waitForReductions()
        startedBuckets = 0
        accumulator.finishReduction()
    }

    // MARK: Sums that are scaled one by one

    /// Waits until the running sum is that of all ranks, where each sum is reduced.
    func finishSum() throws(MPIError) {
        precondition(sumCount > 1, "a single sum is scaled by the update")
        if reducesEachSum { try waitForReductions() }
    }

    /// Adds the running sum times `factor`. Behind the last sum, the scaled sum takes the gradient's place.
    func addSum(scaledBy factor: Float) throws(MPIError) {
        if sum == 0 { pool.clear(scaledSum) }
        sum += 1
        let isLast = sum == sumCount
        if reducesEachSum {
            for bucket in layout.partition.buckets.indices {
                pool.add(accumulator.owned(bucket), scaledBy: factor, to: scaledSum[layout.owned(bucket)])
            }
            guard isLast else { return }
            for bucket in layout.partition.buckets.indices {
                pool.copy(scaledSum[layout.owned(bucket)], into: accumulator.owned(bucket))
            }
        } else {
            pool.add(gradient, scaledBy: factor, to: scaledSum)
            guard isLast else { return }
            pool.copy(scaledSum, into: gradient)
            try startReductions(from: 0)
        }
    }

    /// Waits until this rank holds the sums of the elements that it owns.
    func finish() throws(MPIError) {
        // Several sums that were reduced one by one are there already.
        if sumCount > 1 && reducesEachSum {
            precondition(sum == sumCount, "\(sum) of \(sumCount) sums have been added")
            return
        }
        try waitForReductions()
    }

    /// Ends a step without its gradient.
    func giveUp() {
        precondition(startedBuckets == 0, "a step is given up after its reduction has begun")
    }
}
