// ConsecutiveRunsTests - ascending numbers as ranges.

import Primitives
import Testing

@Suite struct ConsecutiveRunsTests {
    @Test(
        arguments: [
            ([], []), ([5], [5...5]), ([0, 1], [0...1]), ([0, 1, 2, 4, 6, 7], [0...2, 4...4, 6...7]),
            ([-1, 0], [-1...0]),
        ] as [([Int], [ClosedRange<Int>])])
    func runs(numbers: [Int], expected: [ClosedRange<Int>]) {
        #expect(consecutiveRuns(numbers) == expected)
    }
}
