// FloatSlice - a bounds-checked, owning window of floats in an arena.

/// A contiguous run of floats that keeps its arena alive.
///
/// Modules pass slices to each other. Cutting a slice checks bounds; holding a slice keeps the memory. An operation
/// takes a ``FloatView`` from it once, for its inner loops.
public struct FloatSlice: Sendable {
    public let arena: Arena
    /// Index of the first element in the arena.
    public let offset: Int
    public let count: Int

    /// Creates a slice; traps when it does not lie inside the arena.
    public init(arena: Arena, offset: Int, count: Int) {
        precondition(
            offset >= 0 && count >= 0 && offset <= arena.count - count,
            "slice [\(offset), \(offset + count)) does not lie in an arena of \(arena.count) floats")
        self.arena = arena
        self.offset = offset
        self.count = count
    }

    /// The elements in `range`, counted from this slice's start.
    public subscript(range: Range<Int>) -> FloatSlice {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "\(range) is outside 0..<\(count)")
        return FloatSlice(arena: arena, offset: offset + range.lowerBound, count: range.count)
    }

    /// One element. For tests and scalars; loops use ``view``.
    public subscript(index: Int) -> Float {
        get {
            precondition(index >= 0 && index < count, "\(index) is outside 0..<\(count)")
            return view[index]
        }
        nonmutating set {
            precondition(index >= 0 && index < count, "\(index) is outside 0..<\(count)")
            view[index] = newValue
        }
    }

    /// The memory of this slice, unowned; valid as long as the slice lives.
    package var view: FloatView { arena.view.advanced(by: offset, count: count) }

    /// Sets every element to `value`.
    public func fill(_ value: Float) { view.fill(value) }

    /// Copies all elements of `source`; traps unless the counts are equal. The two may overlap.
    public func copy(from source: FloatSlice) {
        precondition(source.count == count, "cannot copy \(source.count) floats into \(count)")
        view.copy(from: source.view)
    }

    /// Copies `values`; traps unless the counts are equal.
    public func copy(from values: [Float]) {
        precondition(values.count == count, "cannot copy \(values.count) floats into \(count)")
        let target = view
        for (index, value) in values.enumerated() { target[index] = value }
    }

    /// The elements as an array.
    public var array: [Float] {
        let source = view
        return (0..<count).map { source[$0] }
    }
}

extension FloatSlice {
    /// A slice over a new arena that holds `values`.
    public init(_ values: [Float]) {
        self = Arena(count: values.count).all
        copy(from: values)
    }
}
