// SplitMix64 - random integers that are a pure function of a seed, the same on every machine.

/// The SplitMix64 generator: 64 bits of state (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
/// OOPSLA 2014).
public struct SplitMix64: RandomNumberGenerator, Sendable {
    @usableFromInline var state: UInt64

    /// - Parameter seed: any number; different seeds give different sequences.
    @inlinable public init(seed: UInt64) { state = seed }

    /// The next of the sequence: 64 random bits.
    @inlinable public mutating func next() -> UInt64 {
        state &+= Self.increment
        return Self.mix(state)
    }

    /// The next number in [0, 1) with 53 random bits.
    @inlinable public mutating func nextUnit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// The next integer in `0 ..< bound`.
    ///
    /// - Parameter bound: positive.
    @inlinable public mutating func next(below bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// The step of the state: 2^64 over the golden ratio, odd.
    @inlinable public static var increment: UInt64 { 0x9E37_79B9_7F4A_7C15 }

    /// A bijection of 64-bit integers whose every output bit depends on every input bit.
    @inlinable public static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
