// GuardedBuffer - a buffer that notices writes outside of its bounds.

public import Tensors

/// A slice with guard floats on both sides.
///
/// It starts at an offset that no vector width divides, so that kernels that assume alignment fail too.
public struct GuardedBuffer: Sendable {
    private static let guardCount = 37
    private static let guardValue: Float = -1.2345e33

    private let arena: Arena
    /// The guarded elements.
    public let slice: FloatSlice

    /// A buffer of `count` NaNs. They reveal elements that a kernel does not write, or reads before writing.
    public init(count: Int) {
        self.init([Float](repeating: .nan, count: count))
    }

    /// A buffer that holds `values`.
    public init(_ values: [Float]) {
        arena = Arena(count: values.count + 2 * Self.guardCount)
        arena.all.fill(Self.guardValue)
        slice = arena.all[Self.guardCount..<(Self.guardCount + values.count)]
        slice.copy(from: values)
    }

    public var array: [Float] { slice.array }

    /// Whether the guards are unchanged.
    public var isIntact: Bool {
        let all = arena.all
        let after = Self.guardCount + slice.count
        return (0..<Self.guardCount).allSatisfy { all[$0] == Self.guardValue && all[after + $0] == Self.guardValue }
    }
}
