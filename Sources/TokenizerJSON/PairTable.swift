// PairTable - numbers by pairs of numbers, in a hash table.

/// Numbers of 0 and more, found by pairs of such numbers.
struct PairTable {
    private struct Slot {
        var key: UInt64 = .max
        var value: Int32 = -1
    }

    private var slots: [Slot]
    private var count = 0

    /// - Parameter capacity: expected number of pairs.
    init(capacity: Int = 0) {
        var count = 16
        while count < 2 * capacity { count *= 2 }
        slots = Array(repeating: Slot(), count: count)
    }

    @inline(__always)
    private static func key(_ first: Int32, _ second: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: first)) << 32 | UInt64(UInt32(bitPattern: second))
    }

    @inline(__always)
    private func slot(_ key: UInt64) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: SeededHash.mix(key)) & mask
        while slots[slot].key != key, slots[slot].value >= 0 { slot = (slot + 1) & mask }
        return slot
    }

    /// The number of a pair; nil where it has none.
    @inline(__always)
    subscript(first: Int32, second: Int32) -> Int32? {
        let value = slots[slot(Self.key(first, second))].value
        return value < 0 ? nil : value
    }

    /// Sets the number of a pair, and replaces one that it has.
    mutating func set(_ first: Int32, _ second: Int32, _ value: Int32) {
        precondition(value >= 0, "\(value) is no number of a pair")
        if 2 * (count + 1) > slots.count {
            let old = slots
            slots = Array(repeating: Slot(), count: 2 * slots.count)
            for entry in old where entry.value >= 0 { slots[slot(entry.key)] = entry }
        }
        let key = Self.key(first, second)
        let slot = slot(key)
        if slots[slot].value < 0 { count += 1 }
        slots[slot] = Slot(key: key, value: value)
    }
}
