// Int64Slice - a bounds-checked, owning window of 64-bit integers in an arena, and the unowned view of it.

/// A contiguous run of 64-bit integers that keeps its arena alive. ``FloatSlice`` is its fp32 counterpart.
public struct Int64Slice: Sendable {
    public let arena: Arena
    /// Index of the first element in the arena, in integers.
    public let offset: Int
    public let count: Int

    /// Creates a slice; traps when it does not lie inside the arena. Two floats of the arena hold one element.
    public init(arena: Arena, offset: Int, count: Int) {
        precondition(
            offset >= 0 && count >= 0 && offset <= arena.count / 2 - count,
            "slice [\(offset), \(offset + count)) does not lie in an arena of \(arena.count / 2) integers")
        self.arena = arena
        self.offset = offset
        self.count = count
    }

    /// A new arena of `count` zeros.
    public init(count: Int) {
        self.init(arena: Arena(count: 2 * count), offset: 0, count: count)
    }

    /// The elements in `range`, counted from this slice's start.
    public subscript(range: Range<Int>) -> Int64Slice {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "\(range) is outside 0..<\(count)")
        return Int64Slice(arena: arena, offset: offset + range.lowerBound, count: range.count)
    }

    /// The memory of this slice, unowned; valid as long as the slice lives.
    package var view: Int64View { Int64View(over: arena.view, offset: offset, count: count) }

    /// The elements as an array.
    public var array: [Int64] {
        let source = view
        return (0..<count).map { source[$0] }
    }

    /// Copies `values`; traps unless the counts are equal.
    public func copy(from values: [Int64]) {
        precondition(values.count == count, "cannot copy \(values.count) integers into \(count)")
        let target = view
        for (index, value) in values.enumerated() { target[index] = value }
    }
}

/// Contiguous 64-bit integers without an owner.
///
/// A kernel's entry checks bounds once, where it takes views from slices. Here only builds with assertions check.
@safe public struct Int64View: @unchecked Sendable {
    @usableFromInline let base: UnsafeMutablePointer<Int64>
    public let count: Int

    /// The memory of `floats` as half as many integers, from the integer `offset` on.
    init(over floats: FloatView, offset: Int, count: Int) {
        let start = unsafe UnsafeMutableRawPointer(floats.pointer).assumingMemoryBound(to: Int64.self)
        unsafe base = start + offset
        self.count = count
    }

    @inlinable @inline(__always)
    package subscript(index: Int) -> Int64 {
        get {
            assert(index >= 0 && index < count)
            return unsafe base[index]
        }
        nonmutating set {
            assert(index >= 0 && index < count)
            unsafe base[index] = newValue
        }
    }

    /// Start of the memory, for a binding's C call.
    package var pointer: UnsafeMutablePointer<Int64> { unsafe base }
}
