// SeededGenerator - reproducible random numbers for tests.

internal import Foundation

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number in `[0, 1)` with 53 random bits.
    public mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A normally distributed number, mean 0, deviation 1 (Box and Muller; the second of each pair is dropped).
    public mutating func normal() -> Double {
        (-2 * log(1 - unit())).squareRoot() * cos(2 * .pi * unit())
    }

    /// `count` normal numbers of the given deviation, rounded to single precision.
    public mutating func normals(_ count: Int, deviation: Double = 1) -> [Float] {
        (0..<count).map { _ in Float(deviation * normal()) }
    }

    /// `count` numbers spread evenly over `range`, rounded to single precision.
    public mutating func uniforms(_ count: Int, in range: ClosedRange<Double> = 0...1) -> [Float] {
        (0..<count).map { _ in Float(range.lowerBound + (range.upperBound - range.lowerBound) * unit()) }
    }

    /// `count` numbers in `0 ..< bound`.
    public mutating func integers(_ count: Int, below bound: Int) -> [Int32] {
        (0..<count).map { _ in Int32(next() % UInt64(bound)) }
    }
}
