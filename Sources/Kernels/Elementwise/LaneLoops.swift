// LaneLoops - loops over floats, sixteen at a time, with padded lanes at the end.

internal import Tensors

// Every element goes through the same vector code whatever its position: a remainder is padded to full lanes, never
// computed by other (scalar) code, so that a value's bits do not depend on how a buffer is cut.

/// What the loops read and write: fp32 or bf16 numbers. Loops are inlined with the concrete type.
protocol LaneBuffer: Sendable {
    var count: Int { get }
    func advanced(by offset: Int, count: Int) -> Self
    func lanes(at index: Int) -> Lanes
    func partialLanes(at index: Int, padding: Float) -> Lanes
    func store(_ value: Lanes, at index: Int)
    func storePartial(_ value: Lanes, at index: Int)
}

extension FloatView: LaneBuffer {}
extension BFloat16View: LaneBuffer {}

/// `target[i] = source[i]`, rounded or widened to the target's format.
@inline(__always)
func convertLanes(_ source: some LaneBuffer, into target: some LaneBuffer) { mapLanes(source, into: target) { $0 } }

/// `target[i] = f(a[i])`.
@inline(__always)
func mapLanes(_ a: some LaneBuffer, into target: some LaneBuffer, _ f: (Lanes) -> Lanes) {
    assert(a.count == target.count)
    let full = a.count & ~(laneCount - 1)
    var index = 0
    while index < full {
        target.store(f(a.lanes(at: index)), at: index)
        index += laneCount
    }
    if index < a.count { target.storePartial(f(a.partialLanes(at: index, padding: 0)), at: index) }
}

/// `target[i] = f(a[i], b[i])`.
@inline(__always)
func mapLanes(
    _ a: some LaneBuffer, _ b: some LaneBuffer, into target: some LaneBuffer, _ f: (Lanes, Lanes) -> Lanes
) {
    assert(a.count == target.count && b.count == target.count)
    let full = a.count & ~(laneCount - 1)
    var index = 0
    while index < full {
        target.store(f(a.lanes(at: index), b.lanes(at: index)), at: index)
        index += laneCount
    }
    if index < a.count {
        let value = f(a.partialLanes(at: index, padding: 0), b.partialLanes(at: index, padding: 0))
        target.storePartial(value, at: index)
    }
}

/// `target[i] = f(a[i], b[i], c[i])`.
@inline(__always)
func mapLanes(
    _ a: some LaneBuffer, _ b: some LaneBuffer, _ c: some LaneBuffer, into target: some LaneBuffer,
    _ f: (Lanes, Lanes, Lanes) -> Lanes
) {
    assert(a.count == target.count && b.count == target.count && c.count == target.count)
    let full = a.count & ~(laneCount - 1)
    var index = 0
    while index < full {
        target.store(f(a.lanes(at: index), b.lanes(at: index), c.lanes(at: index)), at: index)
        index += laneCount
    }
    if index < a.count {
        let value = f(
            a.partialLanes(at: index, padding: 0), b.partialLanes(at: index, padding: 0),
            c.partialLanes(at: index, padding: 0))
        target.storePartial(value, at: index)
    }
}

/// `target[i] = f(a[i], b[i], c[i], d[i])`.
@inline(__always)
func mapLanes(
    _ a: FloatView, _ b: FloatView, _ c: FloatView, _ d: FloatView, into target: FloatView,
    _ f: (Lanes, Lanes, Lanes, Lanes) -> Lanes
) {
    assert(a.count == target.count && b.count == target.count && c.count == target.count && d.count == target.count)
    let full = a.count & ~(laneCount - 1)
    var index = 0
    while index < full {
        let value = f(a.lanes(at: index), b.lanes(at: index), c.lanes(at: index), d.lanes(at: index))
        target.store(value, at: index)
        index += laneCount
    }
    if index < a.count {
        let value = f(
            a.partialLanes(at: index, padding: 0), b.partialLanes(at: index, padding: 0),
            c.partialLanes(at: index, padding: 0), d.partialLanes(at: index, padding: 0))
        target.storePartial(value, at: index)
    }
}

/// Sum of `f(a[i])` over sixteen interleaved partial sums; `f(padding)` must be 0.
@inline(__always)
func sumLanes(_ a: FloatView, padding: Float = 0, _ f: (Lanes) -> Lanes) -> Float {
    let full = a.count & ~(laneCount - 1)
    var total = Lanes(repeating: 0)
    var index = 0
    while index < full {
        total += f(a.lanes(at: index))
        index += laneCount
    }
    if index < a.count { total += f(a.partialLanes(at: index, padding: padding)) }
    return horizontalSum(total)
}

/// Sum of `f(a[i], b[i])`; `f(0, 0)` must be 0.
@inline(__always)
func sumLanes(_ a: FloatView, _ b: FloatView, _ f: (Lanes, Lanes) -> Lanes) -> Float {
    assert(a.count == b.count)
    let full = a.count & ~(laneCount - 1)
    var total = Lanes(repeating: 0)
    var index = 0
    while index < full {
        total += f(a.lanes(at: index), b.lanes(at: index))
        index += laneCount
    }
    if index < a.count {
        total += f(a.partialLanes(at: index, padding: 0), b.partialLanes(at: index, padding: 0))
    }
    return horizontalSum(total)
}

/// `target[i] = f(a[i])`; returns the sum of the results of whole and padded lanes: `f(-infinity)` must be 0.
@inline(__always)
func mapSumLanes(_ a: FloatView, into target: FloatView, _ f: (Lanes) -> Lanes) -> Float {
    assert(a.count == target.count)
    let full = a.count & ~(laneCount - 1)
    var total = Lanes(repeating: 0)
    var index = 0
    while index < full {
        let value = f(a.lanes(at: index))
        total += value
        target.store(value, at: index)
        index += laneCount
    }
    if index < a.count {
        let value = f(a.partialLanes(at: index, padding: -.infinity))
        total += value
        target.storePartial(value, at: index)
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
    let full = a.count & ~(laneCount - 1)
    var total = Lanes(repeating: 0)
    var index = 0
    while index < full {
        let value = f(a.lanes(at: index), b.lanes(at: index), c.lanes(at: index), d.lanes(at: index))
        target.store(value.mapped, at: index)
        total += value.summed
        index += laneCount
    }
    if index < a.count {
        let value = f(
            a.partialLanes(at: index, padding: 0), b.partialLanes(at: index, padding: 0),
            c.partialLanes(at: index, padding: 0), d.partialLanes(at: index, padding: 0))
        target.storePartial(value.mapped, at: index)
        total += value.summed
    }
    return horizontalSum(total)
}

/// Largest element; minus infinity when there is none.
@inline(__always)
func maximum(_ a: FloatView) -> Float {
    let full = a.count & ~(laneCount - 1)
    var largest = Lanes(repeating: -.infinity)
    var index = 0
    while index < full {
        let value = a.lanes(at: index)
        largest.replace(with: value, where: value .> largest)
        index += laneCount
    }
    if index < a.count {
        let value = a.partialLanes(at: index, padding: -.infinity)
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
    let full = a.count & ~(laneCount - 1)
    var found = Lanes(repeating: 0)
    var index = 0
    while index < full {
        found.replace(with: one, where: a.lanes(at: index) .== sought)
        index += laneCount
    }
    // A NaN equals nothing.
    if index < a.count { found.replace(with: one, where: a.partialLanes(at: index, padding: .nan) .== sought) }
    return horizontalSum(found) > 0
}

/// The sum of the lanes, halves first: one fixed order.
@inline(__always)
func horizontalSum(_ value: Lanes) -> Float {
    let eight = value.lowHalf + value.highHalf
    let four = eight.lowHalf + eight.highHalf
    let two = four.lowHalf + four.highHalf
    return two[0] + two[1]
}

/// `(target0[i], target1[i]) = f(a[i], b[i], c[i])`; the targets may be among the inputs.
@inline(__always)
func mapLanePairs(
    _ a: some LaneBuffer, _ b: some LaneBuffer, _ c: some LaneBuffer, into target0: some LaneBuffer,
    _ target1: some LaneBuffer,
    _ f: (Lanes, Lanes, Lanes) -> (Lanes, Lanes)
) {
    assert(b.count == a.count && c.count == a.count && target0.count == a.count && target1.count == a.count)
    let full = a.count & ~(laneCount - 1)
    var index = 0
    while index < full {
        let (first, second) = f(a.lanes(at: index), b.lanes(at: index), c.lanes(at: index))
        target0.store(first, at: index)
        target1.store(second, at: index)
        index += laneCount
    }
    if index < a.count {
        let (first, second) = f(
            a.partialLanes(at: index, padding: 0), b.partialLanes(at: index, padding: 0),
            c.partialLanes(at: index, padding: 0))
        target0.storePartial(first, at: index)
        target1.storePartial(second, at: index)
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
    let full = a.count & ~(laneCount - 1)
    var index = 0
    while index < full {
        let (first, second, third) = f(a.lanes(at: index), b.lanes(at: index), c.lanes(at: index))
        target0.store(first, at: index)
        target1.store(second, at: index)
        target2.store(third, at: index)
        index += laneCount
    }
    if index < a.count {
        let (first, second, third) = f(
            a.partialLanes(at: index, padding: 0), b.partialLanes(at: index, padding: 0),
            c.partialLanes(at: index, padding: 0))
        target0.storePartial(first, at: index)
        target1.storePartial(second, at: index)
        target2.storePartial(third, at: index)
    }
}
