// GradientReduction - the collective that sums the ranks' gradients (configuration key `training.gradient_reduction`).

/// The collective that sums gradients. Both choices give the owner of an element the same sum.
public enum GradientReduction: String, Sendable, CaseIterable {
    /// Each rank receives the sums of the elements that it owns.
    case reduceScatter = "reduce_scatter"
    /// Each rank receives the sums of all elements.
    case allReduce = "all_reduce"
}
