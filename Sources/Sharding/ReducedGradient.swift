// ReducedGradient - a step's gradient after its reduction: the second state of a step's protocol.

public import MessagePassing
public import Optimization

/// The reduced gradient of the elements that this rank owns.
///
/// ``update(_:)`` or, in a skipped step, ``discard()`` ends it. All ranks do the same.
public struct ReducedGradient: ~Copyable {
    private let optimizer: ShardedOptimizer

    init(_ optimizer: ShardedOptimizer) { self.optimizer = optimizer }

    /// Square of the norm of the whole reduced gradient, unscaled; collective.
    ///
    /// Sums of blocks are added in the blocks' order. So the bits are the same on every rank, and for any number of ranks
    /// that has the same gradient.
    public func normSquared() throws(MPIError) -> Double { try optimizer.normSquared() }

    /// Whether the gradient that this rank brought to the reduction is finite; nil where it is not kept.
    public var localIsFinite: Bool? { optimizer.stepGradient.accumulator.localIsFinite }

    /// Updates the owned shard and starts the all-gather of everybody's parameters.
    ///
    /// Parameters that forward reads first are gathered first. Until ``ShardedOptimizer/waitForParameters(before:)`` or
    /// ``ShardedOptimizer/finishGather()`` only the owned parameters may be read.
    public consuming func update(_ rule: any UpdateRule) throws(MPIError) { try optimizer.update(rule) }

    /// Leaves parameters and optimizer state as they are.
    public consuming func discard() {}
}
