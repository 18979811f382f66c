// TensorRole - which tensor of a checkpoint: the parameters, or a state tensor of the optimizer.

/// A tensor that a checkpoint holds with one number for each parameter: the parameters, or one of the optimizer's states.
public struct TensorRole: Hashable, Sendable {
    /// Name of the dataset in a shard, and key of `inspect --json`.
    public let rawValue: String

    /// The parameters themselves.
    public static let parameter = TensorRole(rawValue: "parameter")

    /// The optimizer's state tensor that its update rule calls `name`.
    public static func state(_ name: String) -> TensorRole {
        precondition(isStateName(name), "\(name) cannot name a state tensor")
        return TensorRole(rawValue: name)
    }

    /// Names that shards and `inspect --json` use for something else.
    private static let reserved: Set = ["parameter", "runs", "shape", "non_finite"]

    /// Whether an optimizer may call a state tensor `name`.
    static func isStateName(_ name: String) -> Bool {
        !name.isEmpty && !reserved.contains(name)
            && name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 95 }
    }
}
