// ComparisonTests - the comparisons find what they must find.

import TestSupport
import Tensors
import Testing

struct ComparisonTests {
    @Test func errorsAreTheirFormulas() {
        #expect(relativeError([3, 4], [3, 5]) == (1 / 34.0).squareRoot())
        #expect(relativeError([0, 2], [0, 0]) == 2)
        #expect(relativeError([], []) == 0)
        #expect(maximumError([1, 2, 3], [1, 0, 4]) == 2)
    }

    @Test(arguments: [Double.nan, .infinity])
    func numbersThatAreNotFiniteNeverAgree(bad: Double) {
        #expect(relativeError([1, bad], [1, 2]) == .infinity)
        #expect(maximumError([1, bad], [1, 2]) == .infinity)
        #expect(disagreement([1, bad], [1, 2], within: 1e30) != nil)
    }

    @Test func disagreementNamesTheWorstElement() throws {
        #expect(disagreement([1, 2, 3.5], [1, 2, 3.5], within: 0) == nil)
        let text = try #require(disagreement([1.0, 2.5, 3], [1, 2, 3], within: 0.1))
        #expect(text.contains("[1] of 3: 2.5, expected 2.0"))
        #expect(disagreement([1.0], [1, 2], within: 1) == "1 numbers, expected 2")
    }

    @Test func bitDifferenceSeesOneUnitInTheLastPlace() {
        let values: [Float] = [1, -0.0, .nan]
        #expect(bitDifference(values, values) == nil)
        #expect(bitDifference(values, [Float(1).nextUp, -0.0, .nan]) != nil)
        #expect(bitDifference(values, [1, 0, .nan]) != nil)
        #expect(bitDifference(values, [1, -0.0]) != nil)
    }

    @Test func guardsNoticeWritesOnBothSides() {
        for neighbour in [-1, 5] {
            let buffer = GuardedBuffer([1, 2, 3, 4, 5])
            #expect(buffer.isIntact && buffer.array == [1, 2, 3, 4, 5])
            let arena = buffer.slice.arena
            arena.all[buffer.slice.offset + neighbour] = 0
            #expect(!buffer.isIntact)
        }
        #expect(GuardedBuffer(count: 2).array.allSatisfy { $0.isNaN })
    }

    /// f = x^2 y + y^3 has the gradient (2xy, x^2 + 3y^2); the step leaves h^2 of the cube.
    @Test func numericalGradientOfAKnownFunction() {
        let gradient = numericalGradient(at: [1.5, -0.5]) { $0[0] * $0[0] * $0[1] + $0[1] * $0[1] * $0[1] }
        #expect(disagreement(gradient, [-1.5, 3], within: 1e-9) == nil)
    }
}
