// GradientReduction - the collective that sums the ranks' gradients (configuration key `training.gradient_reduction`).

/// The collective that sums gradients. Both choices give the owner of an element the same sum.
public enum GradientReduction: String, Sendable, CaseIterable {
    /// Each rank receives the sums of the elements that it owns.
    case reduceScatter = "reduce_scatter"
    /// Each rank receives the sums of all elements.
    case allReduce = "all_reduce"

    /// Whether each of `rankCount` ranks receives the sums of its own elements in a buffer beside the gradient, `[P]`.
    ///
    /// Otherwise the gradient itself holds the sums. A rank that is alone exchanges nothing.
    public func scatters(over rankCount: Int) -> Bool { rankCount > 1 && self == .reduceScatter }
}
