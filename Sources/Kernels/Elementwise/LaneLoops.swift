// LaneLoops - loops over floats, sixteen at a time, with padded lanes at the end.

public import Tensors

// One piece of vector code computes every element. A remainder is padded to full lanes instead of computed by scalar
// code. Why: the bits of a value then do not depend on how a buffer is cut.
//
// A loop calls its function once in its source, for whole and for padded lanes. Why: the compiler does not inline a
// function with two calls, and vectors then travel through memory.

/// A buffer that the loops read or write: fp32 or bf16 numbers. The compiler inlines loops with the concrete type.
@usableFromInline package protocol LaneBuffer: Sendable {
    var count: Int { get }
    func advanced(by offset: Int, count: Int) -> Self
    func lanes(at index: Int) -> Lanes
    func partialLanes(at index: Int, padding: Float) -> Lanes
    func store(_ value: Lanes, at index: Int)
    func storePartial(_ value: Lanes, at index: Int)
}

extension FloatView: LaneBuffer {}
extension BFloat16View: LaneBuffer {}

extension LaneBuffer {
    /// The elements at `index`, padded to sixteen.
    @inlinable @inline(__always)
    package func lanes(at index: LaneIndex, padding: Float = 0) -> Lanes {
        index.isPartial ? partialLanes(at: index.start, padding: padding) : lanes(at: index.start)
    }

    /// Stores the lanes of `value` that `index` has.
    @inlinable @inline(__always)
    package func store(_ value: Lanes, at index: LaneIndex) {
        if index.isPartial { storePartial(value, at: index.start) } else { store(value, at: index.start) }
    }
}

/// The index of one iteration of a loop, which covers sixteen elements, or fewer at the end.
@usableFromInline package struct LaneIndex {
    /// Index of the first element.
    @usableFromInline package let start: Int
    /// Whether fewer than sixteen elements are left.
    @usableFromInline package let isPartial: Bool

    @inlinable @inline(__always)
    package init(start: Int, isPartial: Bool) {
        self.start = start
        self.isPartial = isPartial
    }
}

/// Calls `body` for every sixteen of `count` elements and once more for the rest.
@inlinable @inline(__always)
package func forEachLanes(_ count: Int, _ body: (_ index: LaneIndex) -> Void) {
    var start = 0
    while start < count {
        body(LaneIndex(start: start, isPartial: start + laneCount > count))
        start += laneCount
    }
}

/// `target[i] = source[i]`, rounded or upcast to the target's format.
@inline(__always)
func convertLanes(_ source: some LaneBuffer, into target: some LaneBuffer) { mapLanes(source, into: target) { $0 } }

/// `target[i] = f(a[i])`.
@inline(__always)
func mapLanes(_ a: some LaneBuffer, into target: some LaneBuffer, _ f: (Lanes) -> Lanes) {
    assert(a.count == target.count)
    forEachLanes(a.count) { target.store(f(a.lanes(at: $0)), at: $0) }
}

/// `target[i] = f(a[i], b[i])`.
@inline(__always)
func mapLanes(
    _ a: some LaneBuffer, _ b: some LaneBuffer, into target: some LaneBuffer, _ f: (Lanes, Lanes) -> Lanes
) {
    assert(a.count == target.count && b.count == target.count)
    forEachLanes(a.count) { target.store(f(a.lanes(at: $0), b.lanes(at: $0)), at: $0) }
}

/// `target[i] = f(a[i], b[i], c[i], d[i])`.
@inline(__always)
func mapLanes(
    _ a: FloatView, _ b: FloatView, _ c: FloatView, _ d: FloatView, into target: FloatView,
    _ f: (Lanes, Lanes, Lanes, Lanes) -> Lanes
) {
    assert(a.count == target.count && b.count == target.count && c.count == target.count && d.count == target.count)
    forEachLanes(a.count) {
        target.store(f(a.lanes(at: $0), b.lanes(at: $0), c.lanes(at: $0), d.lanes(at: $0)), at: $0)
    }
}

/// Sum of `f(a[i])` over sixteen interleaved partial sums; `f(padding)` must be 0.
@inline(__always)
func sumLanes(_ a: FloatView, padding: Float = 0, _ f: (Lanes) -> Lanes) -> Float {
    var total = Lanes(repeating: 0)
    forEachLanes(a.count) { total += f(a.lanes(at: $0, padding: padding)) }
    return horizontalSum(total)
}

/// Sum of `f(a[i], b[i])`; `f(0, 0)` must be 0.
@inline(__always)
func sumLanes(_ a: FloatView, _ b: FloatView, _ f: (Lanes, Lanes) -> Lanes) -> Float {
    assert(a.count == b.count)
    var total = Lanes(repeating: 0)
    forEachLanes(a.count) { total += f(a.lanes(at: $0), b.lanes(at: $0)) }
    return horizontalSum(total)
}

/// `target[i] = f(a[i])`; returns the sum of all results. Padding is minus infinity, so `f(-infinity)` must be 0.
@inline(__always)
func mapSumLanes(_ a: FloatView, into target: FloatView, _ f: (Lanes) -> Lanes) -> Float {
    assert(a.count == target.count)
    var total = Lanes(repeating: 0)
    forEachLanes(a.count) {
        let value = f(a.lanes(at: $0, padding: -.infinity))
        total += value
        target.store(value, at: $0)
    }
    return horizontalSum(total)
}

/// `target[i] = f(a[i], b[i], c[i], d[i]).mapped`; returns the sum of `.summed`, which must be 0 for `f(0, 0, 0, 0)`.
@inline(__always)
func mapSumLanes(
    _ a: FloatView, _ b: FloatView, _ c: FloatView, _ d: FloatView, into target: FloatView,
    _ f: (Lanes, Lanes, Lanes, Lanes) -> (mapped: Lanes, summed: Lanes)
) -> Float {
    assert(a.count == target.count && b.count == target.count && c.count == target.count && d.count == target.count)
    var total = Lanes(repeating: 0)
    forEachLanes(a.count) {
        let value = f(a.lanes(at: $0), b.lanes(at: $0), c.lanes(at: $0), d.lanes(at: $0))
        target.store(value.mapped, at: $0)
        total += value.summed
    }
    return horizontalSum(total)
}

/// Largest element; minus infinity when there is none.
@inline(__always)
func maximum(_ a: FloatView) -> Float {
    var largest = Lanes(repeating: -.infinity)
    forEachLanes(a.count) {
        let value = a.lanes(at: $0, padding: -.infinity)
        largest.replace(with: value, where: value .> largest)
    }
    var result = largest[0]
    for lane in 1..<laneCount where largest[lane] > result { result = largest[lane] }
    return result
}

/// Whether any element is `value`.
@inline(__always)
func hasElement(_ a: FloatView, equalTo value: Float) -> Bool {
    let sought = Lanes(repeating: value)
    let one = Lanes(repeating: 1)
    var found = Lanes(repeating: 0)
    // A NaN equals nothing.
    forEachLanes(a.count) { found.replace(with: one, where: a.lanes(at: $0, padding: .nan) .== sought) }
    return horizontalSum(found) > 0
}

/// The sum of the lanes in one fixed order: both halves added, then the halves of the result, and so on.
@inline(__always)
func horizontalSum(_ value: Lanes) -> Float {
    let eight = value.lowHalf + value.highHalf
    let four = eight.lowHalf + eight.highHalf
    let two = four.lowHalf + four.highHalf
    return two[0] + two[1]
}

/// `(target0[i], target1[i]) = f(a[i], b[i])`; the targets may be among the inputs.
@inline(__always)
func mapLanePairs(
    _ a: some LaneBuffer, _ b: some LaneBuffer, into target0: some LaneBuffer, _ target1: some LaneBuffer,
    _ f: (Lanes, Lanes) -> (Lanes, Lanes)
) {
    assert(b.count == a.count && target0.count == a.count && target1.count == a.count)
    forEachLanes(a.count) {
        let (first, second) = f(a.lanes(at: $0), b.lanes(at: $0))
        target0.store(first, at: $0)
        target1.store(second, at: $0)
    }
}

/// `(target0[i], target1[i], target2[i]) = f(a[i], b[i], c[i])`; the targets may be among the inputs.
@inline(__always)
func mapLaneTriples(
    _ a: some LaneBuffer, _ b: some LaneBuffer, _ c: some LaneBuffer, into target0: some LaneBuffer,
    _ target1: some LaneBuffer, _ target2: some LaneBuffer, _ f: (Lanes, Lanes, Lanes) -> (Lanes, Lanes, Lanes)
) {
    assert(b.count == a.count && c.count == a.count)
    assert(target0.count == a.count && target1.count == a.count && target2.count == a.count)
    forEachLanes(a.count) {
        let (first, second, third) = f(a.lanes(at: $0), b.lanes(at: $0), c.lanes(at: $0))
        target0.store(first, at: $0)
        target1.store(second, at: $0)
        target2.store(third, at: $0)
    }
}
