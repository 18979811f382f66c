// LaneLoopTests - loops over floats at every remainder.

import TestSupport
import Tensors
import Testing

@testable import Kernels

struct LaneLoopTests {
    private static let counts = [0, 1, 15, 16, 17, 31, 32, 33, 48, 100]

    @Test(arguments: counts)
    func mapsWriteEveryElementOnce(count: Int) {
        let a = (0..<count).map { Float($0 + 1) }
        let (first, second) = (unaligned(a), unaligned(a.map { $0 * 10 }))
        let (target, other) = (GuardedBuffer(count: count), GuardedBuffer(count: count))
        mapLanes(first.view, into: target.slice.view) { $0 + 1 }
        #expect(target.array == a.map { $0 + 1 })
        mapLanes(first.view, second.view, into: target.slice.view) { $0 + $1 }
        #expect(target.array == a.map { $0 * 11 })
        mapLanes(first.view, second.view, first.view, second.view, into: target.slice.view) { $0 + $1 + $2 - $3 }
        #expect(target.array == a.map { $0 * 2 })
        mapLanePairs(first.view, second.view, into: target.slice.view, other.slice.view) { ($0 + $1, $1 - $0) }
        #expect(target.array == a.map { $0 * 11 } && other.array == a.map { $0 * 9 })
        #expect(target.isIntact && other.isIntact)
    }

    @Test(arguments: counts)
    func sumsAndMaximum(count: Int) {
        // Small integers: sums are exact in any order.
        let values = (0..<count).map { Float(($0 * 7) % 11) - 20 }
        let a = unaligned(values)
        #expect(sumLanes(a.view) { $0 } == values.reduce(0, +))
        #expect(sumLanes(a.view, a.view) { $0 * $1 } == values.reduce(0) { $0 + $1 * $1 })
        let target = GuardedBuffer(count: count)
        let sum = mapSumLanes(a.view, a.view, a.view, a.view, into: target.slice.view) { a, b, c, d in
            (mapped: a + 2 * b - c, summed: c * d - a)
        }
        #expect(sum == values.reduce(0) { $0 + $1 * $1 - $1 })
        #expect(target.array == values.map { 2 * $0 } && target.isIntact)
        #expect(maximum(a.view) == values.max() ?? -.infinity)
    }

    /// A buffer's bits may not depend on where it lies in memory.
    @Test func alignmentDoesNotMatter() {
        var generator = SeededGenerator(seed: 1)
        let values = generator.normals(100)
        let sums = (0..<16).map { offset in
            let slice = Arena(count: 116).all[offset..<(offset + 100)]
            slice.copy(from: values)
            return sumLanes(slice.view) { $0 }
        }
        #expect(Set(sums.map(\.bitPattern)).count == 1)
    }

    @Test(arguments: [1, 100, 40_000, 100_001])
    func wholeBuffers(count: Int) {
        let pool = makePool(2)
        var generator = SeededGenerator(seed: 2)
        let (a, b) = (generator.normals(count), generator.normals(count))
        let target = GuardedBuffer(count: count)
        pool.copy(unaligned(a), into: target.slice)
        #expect(bitDifference(target.array, a) == nil)
        pool.scale(target.slice, by: 3)
        #expect(bitDifference(target.array, a.map { 3 * $0 }) == nil)
        pool.copy(unaligned(a), into: target.slice)
        pool.add(unaligned(b), scaledBy: -0.3, to: target.slice)
        #expect(bitDifference(target.array, zip(a, b).map { $0.addingProduct(-0.3, $1) }) == nil)
        pool.copyStreaming(unaligned(b), into: target.slice)
        #expect(bitDifference(target.array, b) == nil && target.isIntact)
        pool.clear(target.slice)
        #expect(target.array == [Float](repeating: 0, count: count) && target.isIntact)
    }
}
