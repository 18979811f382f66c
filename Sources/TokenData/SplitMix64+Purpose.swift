// SplitMix64+Purpose - seeds for each purpose: the source of every order and of the synthetic text.

internal import Primitives

extension SplitMix64 {
    /// A seed for one `purpose`, different for each pair (`first`, `second`).
    static func seed(_ seed: UInt64, _ purpose: Purpose, _ first: Int, _ second: Int = 0) -> UInt64 {
        var key = mix(seed &+ increment)
        for word in [purpose.rawValue, UInt64(bitPattern: Int64(first)), UInt64(bitPattern: Int64(second))] {
            key = mix((key ^ word) &+ increment)
        }
        return key
    }

    /// The use of a seed. The values are part of every run's order and must never change.
    enum Purpose: UInt64 {
        case mixture = 1
        case epoch = 2
        case lexicon = 3
        case grammar = 4
        case sequence = 5
    }
}
