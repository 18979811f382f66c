// KeyedPermutation - a seeded order of n elements that is computed, not stored.

internal import Primitives

/// A bijection of 0 ..< n that depends on a key, in O(1) memory and expected O(1) time.
///
/// A balanced Feistel network permutes the smallest 0 ..< 4^h that holds n. A result outside 0 ..< n goes through the
/// network again ("cycle walking", Black and Rogaway 2002), at most four times on average.
struct KeyedPermutation: Sendable {
    let count: Int
    private let halfBits: UInt64
    private let mask: UInt64
    private let roundKeys: InlineArray<8, UInt64>

    init(count: Int, key: UInt64) {
        precondition(count > 0, "nothing to permute")
        self.count = count
        let bits = 64 - (UInt64(count) - 1).leadingZeroBitCount
        halfBits = UInt64(max(1, (bits + 1) / 2))
        mask = (1 << halfBits) - 1
        var generator = SplitMix64(seed: key)
        var keys = InlineArray<8, UInt64>(repeating: 0)
        for round in keys.indices { keys[round] = generator.next() }
        roundKeys = keys
    }

    /// Image of `index`.
    func callAsFunction(_ index: Int) -> Int {
        precondition(index >= 0 && index < count, "\(index) is outside 0..<\(count)")
        var value = UInt64(index)
        repeat {
            var left = value >> halfBits
            var right = value & mask
            for round in roundKeys.indices {
                (left, right) = (right, left ^ (SplitMix64.mix(roundKeys[round] ^ right) & mask))
            }
            value = left << halfBits | right
        } while value >= UInt64(count)
        return Int(value)
    }
}
