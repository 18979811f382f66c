// TextTable - token ids by their bytes, in a hash table over one buffer.

/// Hashes with a seed of the process. Why: a file must not choose keys that collide.
enum SeededHash {
    private static let seed = UInt64.random(in: .min ... .max)

    @inline(__always)
    static func mix(_ value: UInt64) -> UInt64 {
        let product = (value ^ seed).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }

    @inline(__always)
    static func hash(_ text: [UInt8], _ range: Range<Int>) -> UInt64 {
        var hash = seed
        var index = range.lowerBound
        while index + 8 <= range.upperBound {
            var word: UInt64 = 0
            for offset in 0..<8 { word |= UInt64(text[index + offset]) << (8 * UInt64(offset)) }
            hash = mix(hash ^ word)
            index += 8
        }
        var rest: UInt64 = UInt64(range.count) << 56
        var shift: UInt64 = 0
        while index < range.upperBound {
            rest ^= UInt64(text[index]) << shift
            shift += 8
            index += 1
        }
        return mix(hash ^ rest)
    }
}

/// Texts and their ids. A text is found by its bytes, or by its id.
struct TextTable {
    /// All texts, one after the other.
    private(set) var bytes: [UInt8] = []
    /// End of each entry's text in `bytes`; the entry before ends where it starts.
    private var ends: [Int32] = []
    private var ids: [Int32] = []
    /// Entry numbers; -1: free. Their count is a power of two.
    private var slots = [Int32](repeating: -1, count: 16)
    /// Entry of each id; -1: none.
    private var entries: [Int32] = []

    /// Most bytes of all texts.
    static let mostBytes = 1 << 28

    var count: Int { ids.count }

    /// One more than the greatest id.
    var size: Int { entries.count }

    private func range(_ entry: Int) -> Range<Int> { (entry == 0 ? 0 : Int(ends[entry - 1]))..<Int(ends[entry]) }

    /// Slot of a text, or the free slot where it belongs.
    @inline(__always)
    private func slot(of text: [UInt8], _ range: Range<Int>) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: SeededHash.hash(text, range)) & mask
        while slots[slot] >= 0 {
            let found = self.range(Int(slots[slot]))
            if found.count == range.count, equal(found.lowerBound, text, range) { return slot }
            slot = (slot + 1) & mask
        }
        return slot
    }

    @inline(__always)
    private func equal(_ start: Int, _ text: [UInt8], _ range: Range<Int>) -> Bool {
        for offset in 0..<range.count where bytes[start + offset] != text[range.lowerBound + offset] { return false }
        return true
    }

    /// Adds a text. The id must be 0 or more.
    ///
    /// - Returns: whether text and id were new; nothing is added otherwise.
    mutating func add(_ text: [UInt8], id: Int32) -> Bool {
        guard !has(id), ids.count < Int(Int32.max) / 4, bytes.count + text.count < Self.mostBytes else { return false }
        if 2 * (ids.count + 1) > slots.count { grow() }
        let slot = slot(of: text, 0..<text.count)
        guard slots[slot] < 0 else { return false }
        slots[slot] = Int32(ids.count)
        bytes += text
        ends.append(Int32(bytes.count))
        if Int(id) >= entries.count {
            entries += repeatElement(-1, count: Int(id) + 1 - entries.count)
        }
        entries[Int(id)] = Int32(ids.count)
        ids.append(id)
        return true
    }

    private mutating func grow() {
        slots = Array(repeating: -1, count: 2 * slots.count)
        for entry in ids.indices {
            let range = range(entry)
            slots[slot(of: bytes, range)] = Int32(entry)
        }
    }

    private func has(_ id: Int32) -> Bool { Int(id) < entries.count && entries[Int(id)] >= 0 }

    /// The id of the text `text[range]`.
    @inline(__always)
    func id(of text: [UInt8], _ range: Range<Int>) -> Int32? {
        let entry = slots[slot(of: text, range)]
        return entry < 0 ? nil : ids[Int(entry)]
    }

    func id(of text: [UInt8]) -> Int32? { id(of: text, 0..<text.count) }

    /// The text of an id.
    func text(of id: Int32) -> ArraySlice<UInt8>? {
        guard id >= 0, has(id) else { return nil }
        return bytes[range(Int(entries[Int(id)]))]
    }

    /// Ids of the tokens `<0x00>` to `<0xFF>`; -1: none.
    var byteTokenIds: [Int32] {
        (0..<256).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return id(of: Array("<0x\(byte < 16 ? "0" : "")\(digits)>".utf8)) ?? -1
        }
    }

    /// Calls `body` with each text and id, in the order in which they were added.
    func forEach(_ body: (ArraySlice<UInt8>, Int32) -> Void) {
        for entry in ids.indices { body(bytes[range(entry)], ids[entry]) }
    }
}
