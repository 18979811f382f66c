// ConsecutiveRuns - ascending numbers as ranges, for lists that people read.

/// The runs of consecutive numbers: `[0, 1, 2, 5]` is `[0...2, 5...5]`.
///
/// - Parameter numbers: ascending, without repetitions.
public func consecutiveRuns(_ numbers: [Int]) -> [ClosedRange<Int>] {
    var runs: [ClosedRange<Int>] = []
    for number in numbers {
        if let last = runs.last, last.upperBound + 1 == number {
            runs[runs.count - 1] = last.lowerBound...number
        } else {
            runs.append(number...number)
        }
    }
    return runs
}
