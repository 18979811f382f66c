// FixedPointTests - gradients in fixed point: the quantum, exact sums in any order, and overflow.

import Kernels
import TestSupport
import Tensors
import Testing

struct FixedPointTests {
    /// 2^-40 * 2^ceil(log2 N).
    @Test(arguments: [(1, -40), (2, -39), (3, -38), (4, -38), (5, -37), (2048, -29), (2049, -28), (1 << 21, -19)])
    func quantum(targets: Int, exponent: Int) {
        let format = FixedPoint(targetsPerStep: targets)
        #expect(format.exponent == exponent)
        #expect(format.quantum == Double(sign: .plus, exponent: exponent, significand: 1))
        #expect(Double(format.limit) == format.quantum * 0x1p50)
    }

    private let format = FixedPoint(targetsPerStep: 1024)  // quantum 2^-30, limit 2^20

    @Test func roundsToTheNearestTiesToEven() {
        let quantum = Float(format.quantum)
        let values: [Float] = [0, -0.0, 1, -1, 2.5, 3.5, -2.5, -3.5, 0.5, 0.49, 0.51, 1e-20, 123_456.75]
        let integers: [Int64] = [0, 0, 1, -1, 2, 4, -2, -4, 0, 0, 1, 0, 123_457]
        let target = Int64Slice(count: values.count)
        let overflow = makePool().add(FloatSlice(values.map { $0 * quantum }), to: target, in: format, replacing: true)
        #expect(overflow == .none)
        #expect(target.array == integers)
    }

    /// Every number of at most 24 bits above the quantum is held exactly, up to the limit.
    @Test func returnsWhatItHoldsExactly() {
        let values: [Float] = [1, -1, 0.1, -1234.567, 1_048_575.9, -1_048_575.9, 0x1p-30, 0x1.8p-29]
        let target = Int64Slice(count: values.count)
        let back = Arena(count: values.count).all
        let pool = makePool()
        #expect(pool.add(FloatSlice(values), to: target, in: format, replacing: true) == .none)
        pool.convert(target, in: format, into: back)
        // 0.1 has bits below 2^-30.
        #expect(back.array.enumerated().allSatisfy { abs($0.element - values[$0.offset]) <= 0x1p-31 })
        #expect(back.array[3] == values[3] && back.array[4] == values[4] && back.array[7] == values[7])
    }

    /// Fixed-point sums do not depend on order, cut or number of threads. fp32 sums of the numbers depend on their
    /// order.
    @Test func sumsHaveNoOrder() {
        var random = SeededGenerator(seed: 3)
        let count = 100_003
        let terms = (0..<5).map { _ in random.uniforms(count, in: -1000...1000) }
        let forward = Int64Slice(count: count)
        let backward = Int64Slice(count: count)
        for (index, term) in terms.enumerated() {
            #expect(makePool(1).add(FloatSlice(term), to: forward, in: format, replacing: index == 0) == .none)
        }
        // The first term replaces remains of another sum.
        backward.copy(from: [Int64](repeating: 99, count: count))
        for (index, term) in terms.reversed().enumerated() {
            let slice = FloatSlice(term)
            for range in [60_000..<count, 17..<60_000, 0..<17] {
                #expect(
                    makePool(3).add(slice[range], to: backward[range], in: format, replacing: index == 0) == .none)
            }
        }
        #expect(forward.array == backward.array)
        // Negative control: in fp32 the order shows.
        let one = (0..<count).map { index in terms.reduce(Float(0)) { $0 + $1[index] } }
        let other = (0..<count).map { index in terms.reversed().reduce(Float(0)) { $0 + $1[index] } }
        #expect(one != other)
        // The sum is right within five roundings of half a quantum, and one of fp32.
        let result = Arena(count: count).all
        makePool(2).convert(forward, in: format, into: result)
        for index in stride(from: 0, to: count, by: 997) {
            let exact = terms.reduce(0.0) { $0 + Double($1[index]) }
            #expect(abs(Double(result[index]) - exact) <= 2.5 * format.quantum + abs(exact) * 0x1p-24)
        }
    }

    @Test(arguments: [
        (Float(0x1p20), FixedPoint.Overflow.outOfRange), (-0x1p20, .outOfRange), (0x1.fffffep19, .none),
        (-0x1.fffffep19, .none), (3e38, .outOfRange), (.infinity, .notFinite), (-.infinity, .notFinite),
        (.nan, .notFinite), (-.nan, .notFinite),
    ])
    func whatDoesNotFitIsFound(value: Float, overflow: FixedPoint.Overflow) {
        for place in [0, 13, 40_000] {
            var values = [Float](repeating: 1, count: 40_001)
            values[place] = value
            let target = Int64Slice(count: values.count)
            #expect(makePool(2).add(FloatSlice(values), to: target, in: format, replacing: true) == overflow)
        }
    }

    /// The most terms of the largest size do not wrap around.
    @Test func theLargestSumFits() {
        let largest = format.limit.nextDown
        let target = Int64Slice(count: 1)
        let pool = makePool()
        for term in 0..<FixedPoint.mostTerms {
            #expect(pool.add(FloatSlice([largest]), to: target, in: format, replacing: term == 0) == .none)
        }
        let back = Arena(count: 1).all
        pool.convert(target, in: format, into: back)
        #expect(back[0] == largest * Float(FixedPoint.mostTerms))
    }

    @Test func clears() {
        let target = Int64Slice([1, 2, 3])
        makePool().clear(target[1..<3])
        #expect(target.array == [1, 0, 0])
    }
}

extension Int64Slice {
    /// A slice over a new arena that holds `values`.
    fileprivate init(_ values: [Int64]) {
        self.init(count: values.count)
        copy(from: values)
    }
}
