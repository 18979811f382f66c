// GradientAccumulator - adds the gradients of a rank's micro-batches and reduces their sum to the owners.

internal import Kernels
internal import MessagePassing
internal import Tensors

/// The sum of the gradients of a rank's micro-batches (gradient accumulation), `[P]`.
///
/// Backward writes each micro-batch's gradient into one flat fp32 buffer, from the end to the start.
protocol GradientAccumulator: AnyObject {
    /// Whether backward itself adds a micro-batch to the sum of the earlier ones, in the buffer that it writes.
    ///
    /// Otherwise backward overwrites the buffer, and ``add(from:isFirst:)`` takes each micro-batch.
    var addsInBackward: Bool { get }

    /// Forgets the last step.
    func beginStep()

    /// Adds every element of the micro-batch's gradient at or behind the flat `index` that was not added yet.
    ///
    /// - Parameters:
    ///   - index: falls to 0 within a micro-batch.
    ///   - isFirst: whether the micro-batch is the first of the sum, and replaces what is there.
    func add(from index: Int, isFirst: Bool)

    /// Makes the sum 0: the part of a rank without a micro-batch.
    func clear()

    /// Starts to sum a bucket over all ranks.
    func startReduction(bucket: Int, _ exchange: any ShardExchange) throws(MPIError) -> Request?

    /// Makes the reduced sums readable through ``owned(_:)``, once every reduction is complete.
    func finishReduction()

    /// The reduced fp32 gradient of a bucket's owned elements.
    func owned(_ bucket: Int) -> FloatSlice

    /// The worst overflow of the step's conversions on this rank.
    var overflow: FixedPoint.Overflow { get }

    /// Whether this rank's own sum is finite; nil where the reduction has overwritten it.
    var localIsFinite: Bool? { get }
}
