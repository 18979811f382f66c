// Comparison - distances of two lists of numbers, in words that explain a failing test.

extension [Float] {
    /// The numbers in double precision, for references.
    public var doubles: [Double] { map(Double.init) }
}

extension [Double] {
    /// The numbers rounded to single precision.
    public var floats: [Float] { map(Float.init) }
}

/// `|actual - expected| / |expected|` in the Euclidean norm; the norm of the difference where `expected` is all zeros.
///
/// Infinite when a number is not finite, so that a NaN never passes for small.
public func relativeError(_ actual: [Double], _ expected: [Double]) -> Double {
    precondition(actual.count == expected.count, "\(actual.count) numbers cannot match \(expected.count)")
    let difference = zip(actual, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let size = expected.reduce(0) { $0 + $1 * $1 }
    guard difference.isFinite && size.isFinite else { return .infinity }
    return (size > 0 ? difference / size : difference).squareRoot()
}

/// The largest `|actual - expected|`; infinite when a number is not finite.
public func maximumError(_ actual: [Double], _ expected: [Double]) -> Double {
    precondition(actual.count == expected.count, "\(actual.count) numbers cannot match \(expected.count)")
    return zip(actual, expected).reduce(0) { worst, pair in
        let difference = abs(pair.0 - pair.1)
        return difference.isFinite ? max(worst, difference) : .infinity
    }
}

/// Nil when the relative error is at most `tolerance`; otherwise the largest difference in words, with its index.
///
/// Use as `#expect(disagreement(fast, reference, within: 1e-6) == nil)`: the text shows in the failure.
public func disagreement(_ actual: [Double], _ expected: [Double], within tolerance: Double) -> String? {
    guard actual.count == expected.count else { return "\(actual.count) numbers, expected \(expected.count)" }
    let error = relativeError(actual, expected)
    guard !(error <= tolerance) else { return nil }
    let worst = actual.indices.max { distance(actual[$0], expected[$0]) < distance(actual[$1], expected[$1]) } ?? 0
    return "relative error \(error) exceeds \(tolerance); worst at [\(worst)] of \(actual.count): "
        + "\(actual[worst]), expected \(expected[worst])"
}

/// Nil when the relative error of single-precision results is at most `tolerance`; otherwise the difference in words.
public func disagreement(_ actual: [Float], _ expected: [Double], within tolerance: Double) -> String? {
    disagreement(actual.doubles, expected, within: tolerance)
}

/// Nil when both lists hold the same bits; otherwise the first index where they differ, in words.
///
/// It tells -0 from 0 and counts equal NaNs as equal.
public func bitDifference(_ a: [Float], _ b: [Float]) -> String? {
    guard a.count == b.count else { return "\(a.count) floats against \(b.count)" }
    guard let index = a.indices.first(where: { a[$0].bitPattern != b[$0].bitPattern }) else { return nil }
    return "[\(index)] of \(a.count): \(a[index]) against \(b[index])"
}

/// A number that differs with the bits of `values`, for comparison between ranks: FNV-1a, a float at a time.
public func bitDigest(_ values: [Float]) -> Int {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for value in values { hash = (hash ^ UInt64(value.bitPattern)) &* 0x0000_0100_0000_01B3 }
    return Int(truncatingIfNeeded: hash)
}

/// Adds `values` to `sums`, element by element.
public func add(_ values: [Float], to sums: inout [Double]) {
    precondition(values.count == sums.count, "\(values.count) values for \(sums.count) sums")
    for index in sums.indices { sums[index] += Double(values[index]) }
}

private func distance(_ a: Double, _ b: Double) -> Double {
    let difference = abs(a - b)
    return difference.isNaN ? .infinity : difference
}
