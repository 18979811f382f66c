// BFloat16Slice - a bounds-checked, owning window of bfloat16 numbers in an arena.

/// A contiguous run of bfloat16 numbers that keeps its arena alive. ``FloatSlice`` is its fp32 counterpart.
public struct BFloat16Slice: Sendable {
    public let arena: Arena
    /// Index of the first element in the arena, in bfloat16 numbers.
    public let offset: Int
    public let count: Int

    /// Creates a slice; traps when it does not lie inside the arena. Each float of the arena holds two elements.
    public init(arena: Arena, offset: Int, count: Int) {
        precondition(
            offset >= 0 && count >= 0 && offset <= 2 * arena.count - count,
            "slice [\(offset), \(offset + count)) does not lie in an arena of \(2 * arena.count) bfloat16 numbers")
        self.arena = arena
        self.offset = offset
        self.count = count
    }

    /// A new arena of `count` zeros.
    public init(count: Int) {
        self.init(arena: Arena(count: Self.floatCount(count)), offset: 0, count: count)
    }

    /// `count` elements over the start of `floats`; traps when they do not fit.
    ///
    /// Why: fp32 and bf16 passes share scratch memory.
    public init(over floats: FloatSlice, count: Int) {
        precondition(count <= 2 * floats.count, "\(count) bfloat16 numbers do not fit into \(floats.count) floats")
        self.init(arena: floats.arena, offset: 2 * floats.offset, count: count)
    }

    /// Number of floats that hold `count` bfloat16 numbers.
    public static func floatCount(_ count: Int) -> Int { (count + 1) / 2 }

    /// The elements in `range`, counted from this slice's start.
    public subscript(range: Range<Int>) -> BFloat16Slice {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "\(range) is outside 0..<\(count)")
        return BFloat16Slice(arena: arena, offset: offset + range.lowerBound, count: range.count)
    }

    /// The memory of this slice, unowned; valid as long as the slice lives.
    package var view: BFloat16View { BFloat16View(over: arena.view).advanced(by: offset, count: count) }

    /// The elements as an array of floats, without rounding.
    public var array: [Float] {
        let source = view
        return (0..<count).map { source[$0] }
    }
}
