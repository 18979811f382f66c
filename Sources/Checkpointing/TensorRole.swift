// TensorRole - parameter, first moment, second moment.

/// The three numbers that a checkpoint holds for each parameter.
public enum TensorRole: String, Sendable, CaseIterable {
    case parameter
    /// AdamW's mean of gradients.
    case firstMoment = "first_moment"
    /// AdamW's mean of squared gradients.
    case secondMoment = "second_moment"
}
