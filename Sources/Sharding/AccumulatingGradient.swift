// AccumulatingGradient - a step's gradient while micro-batches add to it: the first state of a step's protocol.

public import Kernels
public import MessagePassing

/// The gradient of one optimizer step, from its first micro-batch to its reduction (ZeRO-1).
///
/// ``ShardedOptimizer/beginStep()`` makes one. For each accumulation step: ``beginSum(microBatches:)``; for each micro-batch
/// of the rank ``beginMicroBatch()``, then ``isFinal(from:)`` while backward runs. ``finish()`` or ``discard()`` ends it.
/// All ranks make the same calls in the same order.
///
/// Reductions run beside backward: the pool's calling thread lets them move between its tasks. An error may drop the value
/// while they run; the optimizer then keeps their memory until the job ends.
public struct AccumulatingGradient: ~Copyable {
    private let optimizer: ShardedOptimizer
    private var step: StepGradient { optimizer.stepGradient }

    init(_ optimizer: ShardedOptimizer) {
        self.optimizer = optimizer
        step.beginStep()
    }

    /// Begins the sum of one accumulation step.
    ///
    /// - Parameter microBatches: of this rank; with 0, ``contributeZeros()`` takes their place.
    public func beginSum(microBatches: Int) { step.beginSum(microBatches: microBatches) }

    /// Begins a micro-batch of the running sum, before its forward pass.
    public func beginMicroBatch() { step.beginMicroBatch() }

    /// Whether backward must add the current micro-batch to the gradient buffer instead of overwriting it.
    public var backwardAdds: Bool { step.backwardAdds }

    /// Whether ``isFinal(from:)`` does anything in the current micro-batch; otherwise it need not be called.
    public var usesFinalElements: Bool { step.usesFinalElements }

    /// Takes over every element of the current micro-batch's gradient at or behind the flat `index`.
    ///
    /// In fixed point the elements are added to the sum. In the rank's last micro-batch the reduction of every bucket that is
    /// complete starts, and running reductions move.
    ///
    /// - Parameter index: falls to 0 within a micro-batch, as backward reports it.
    public func isFinal(from index: Int) throws(MPIError) { try step.isFinal(from: index) }

    /// Takes part in the reductions of the running sum with zeros: the part of a rank without a micro-batch.
    public func contributeZeros() throws(MPIError) { try step.contributeZeros() }

    /// Starts the reductions of all buckets, with whatever the buffers hold. For measurements of the exchange alone.
    package func startReductions() throws(MPIError) { try step.startReductions(from: 0) }

    /// Ends the running sum where sums are scaled one by one: waits for its reduction if each sum has one.
    public func finishSum() throws(MPIError) { try step.finishSum() }

    /// Adds the finished sum times `factor` to the step's gradient.
    ///
    /// Behind the last sum of the step, reductions start if the sums had none.
    public func addSum(scaledBy factor: Float) throws(MPIError) { try step.addSum(scaledBy: factor) }

    /// The worst overflow of the step's fixed-point conversions on this rank; `none` if gradients are added in fp32.
    public var overflow: FixedPoint.Overflow { step.accumulator.overflow }

    /// Waits until this rank holds the reduced gradient of the elements that it owns.
    public consuming func finish() throws(MPIError) -> ReducedGradient {
        try step.finish()
        return ReducedGradient(optimizer)
    }

    /// Gives the step up; traps while a reduction is in flight, because other ranks wait for it.
    public consuming func discard() { step.giveUp() }
}
