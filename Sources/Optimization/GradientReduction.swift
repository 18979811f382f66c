// GradientReduction - how the gradients of the ranks become one (configuration key `training.gradient_reduction`).

/// What is sent, and kept, when gradients are reduced. Both leave the same sums with the owner of each element.
public enum GradientReduction: String, Sendable, CaseIterable {
    /// Each rank receives the sum of what it owns.
    case reduceScatter = "reduce_scatter"
    /// Each rank receives the whole sum.
    case allReduce = "all_reduce"
}
