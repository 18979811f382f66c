// SquareRootTests - sixteen roots at once have the bits of one root each.

import CVectorMath
import TestSupport
import Tensors
import Testing

struct SquareRootTests {
    @Test func equalsTheRootOfEachLane() {
        var generator = SeededGenerator(seed: 7)
        let edges: [Float] = [
            0, -0.0, 1, 2, .leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude, .infinity,
        ]
        let values =
            edges + (0..<4088).map { _ in Float(bitPattern: UInt32.random(in: 0..<0x7F80_0000, using: &generator)) }
        for start in stride(from: 0, to: values.count, by: laneCount) {
            let lanes = Lanes(values[start..<(start + laneCount)])
            let roots = cvectormath_square_root(lanes)
            let expected = (0..<laneCount).map { lanes[$0].squareRoot() }
            #expect(bitDifference((0..<laneCount).map { roots[$0] }, expected) == nil)
        }
    }

    @Test func belowZeroIsNotANumber() {
        let roots = cvectormath_square_root(Lanes(repeating: -1))
        #expect((0..<laneCount).allSatisfy { roots[$0].isNaN })
    }
}
