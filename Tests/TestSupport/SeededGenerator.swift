// SeededGenerator - reproducible random numbers for tests.

internal import Foundation
internal import Primitives

/// ``SplitMix64`` with the distributions that tests need.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var random: SplitMix64

    public init(seed: UInt64) { random = SplitMix64(seed: seed) }

    public mutating func next() -> UInt64 { random.next() }

    /// A number in `[0, 1)` with 53 random bits.
    public mutating func unit() -> Double { random.nextUnit() }

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
