// StateTensor - one named tensor of an optimizer's state.

/// One fp32 tensor of the optimizer state: one number for each parameter that a rank owns, in ascending flat order.
public struct StateTensor: Sendable {
    /// The name that the update rule declares, for example `first_moment`. Checkpoints store the tensor under it.
    public let name: String
    public let values: FloatSlice

    public init(name: String, values: FloatSlice) {
        self.name = name
        self.values = values
    }
}
