// NumberSlice - the slices of numbers that collectives gather and sum.

package import Tensors

/// A slice of numbers that messages carry, `[n]`. It keeps its arena alive, and lies inside of it.
package protocol NumberSlice: Sendable {
    static var element: ElementType { get }

    var arena: Arena { get }
    /// Index of the first element in the arena, in elements.
    var offset: Int { get }
    var count: Int { get }

    /// The elements in `range`, counted from this slice's start; traps when they do not lie inside the slice.
    subscript(range: Range<Int>) -> Self { get }
}

/// A slice of numbers that reductions sum.
package protocol SummableSlice: NumberSlice {
    static var summand: Summand { get }
}

extension SummableSlice {
    package static var element: ElementType { summand.type }
}

extension NumberSlice {
    /// Where the first element lies; valid while the arena is kept.
    var address: UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(arena.view.pointer) + offset * Self.element.stride
    }

    /// Whether the two have elements in common.
    func overlaps(_ other: Self) -> Bool {
        arena === other.arena && (offset..<(offset + count)).overlaps(other.offset..<(other.offset + other.count))
    }
}

extension FloatSlice: SummableSlice {
    package static var summand: Summand { .float }
}

extension Int64Slice: SummableSlice {
    package static var summand: Summand { .int64 }
}

extension BFloat16Slice: NumberSlice {
    package static var element: ElementType { .uint16 }
}
