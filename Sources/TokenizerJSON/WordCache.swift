// WordCache - ids of words that were encoded before.

/// Ids of words, in bounded memory. A new word takes the place of another with the same slot.
struct WordCache {
    private struct Entry {
        var hash: UInt64 = 0
        var start: Int32 = 0
        var length: Int32 = -1
        var firstId: Int32 = 0
        var idCount: Int32 = 0
    }

    private var entries = [Entry](repeating: Entry(), count: Self.slotCount)
    private var bytes: [UInt8] = []
    private var ids: [Int32] = []

    private static let slotCount = 1 << 15
    /// Most bytes of all words. Beyond it the cache starts anew.
    private static let mostBytes = 4 << 20
    /// Longest word that is kept, in bytes.
    static let longestWord = 256

    /// Appends the ids of the word `text[range]` to `target`; false if they are not known.
    @inline(__always)
    func append(_ text: [UInt8], _ range: Range<Int>, hash: UInt64, to target: inout [Int32]) -> Bool {
        let entry = entries[Int(truncatingIfNeeded: hash) & (Self.slotCount - 1)]
        guard entry.hash == hash, Int(entry.length) == range.count else { return false }
        let start = Int(entry.start)
        for offset in 0..<range.count where bytes[start + offset] != text[range.lowerBound + offset] { return false }
        let first = Int(entry.firstId)
        if entry.idCount == 1 {
            target.append(ids[first])
        } else {
            target += ids[first..<first + Int(entry.idCount)]
        }
        return true
    }

    /// Keeps the ids of a word.
    mutating func insert(_ text: [UInt8], _ range: Range<Int>, hash: UInt64, ids new: ArraySlice<Int32>) {
        guard range.count <= Self.longestWord else { return }
        if bytes.count + range.count > Self.mostBytes || ids.count + new.count > Self.mostBytes {
            entries = Array(repeating: Entry(), count: Self.slotCount)
            bytes.removeAll(keepingCapacity: true)
            ids.removeAll(keepingCapacity: true)
        }
        entries[Int(truncatingIfNeeded: hash) & (Self.slotCount - 1)] = Entry(
            hash: hash, start: Int32(bytes.count), length: Int32(range.count), firstId: Int32(ids.count),
            idCount: Int32(new.count))
        bytes += text[range]
        ids += new
    }
}
