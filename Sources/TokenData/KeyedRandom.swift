// KeyedRandom - integers that are pure functions of a seed: the source of every order and of the synthetic text.

/// The SplitMix64 generator (Steele, Lea, Flood 2014): 64 bits of state, the same on every machine.
struct SplitMix64: Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= Self.increment
        return Self.mix(state)
    }

    /// A number in [0, 1) with 53 random bits.
    mutating func nextUnit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// An integer in 0 ..< `bound`.
    mutating func next(below bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }

    static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// A bijection of 64-bit integers whose every output bit depends on every input bit.
    static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A seed for one `purpose`, different for each pair (`first`, `second`).
    static func seed(_ seed: UInt64, _ purpose: Purpose, _ first: Int, _ second: Int = 0) -> UInt64 {
        var key = mix(seed &+ increment)
        for word in [purpose.rawValue, UInt64(bitPattern: Int64(first)), UInt64(bitPattern: Int64(second))] {
            key = mix((key ^ word) &+ increment)
        }
        return key
    }

    /// What a seed is for; the values are part of every run's order and must never change.
    enum Purpose: UInt64 {
        case mixture = 1
        case epoch = 2
        case lexicon = 3
        case grammar = 4
        case sequence = 5
    }
}
