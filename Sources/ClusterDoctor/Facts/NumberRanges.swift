// NumberRanges - lists of core and rank numbers as text.

/// Ranges of consecutive numbers.
enum NumberRanges {
    /// `numbers` as text: `0-3,8`.
    ///
    /// - Parameter numbers: ascending.
    static func text(_ numbers: [Int]) -> String {
        var parts: [ClosedRange<Int>] = []
        for number in numbers {
            if let last = parts.last, last.upperBound + 1 == number {
                parts[parts.count - 1] = last.lowerBound...number
            } else {
                parts.append(number...number)
            }
        }
        return parts.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ",")
    }
}
