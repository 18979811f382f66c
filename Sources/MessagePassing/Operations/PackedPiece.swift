// PackedPiece - a piece of a buffer that is mostly zeros, as a message without them.

/// The message of a piece: a map with a bit for each block, then the blocks in which any bit is set, in their order.
///
/// Why: of an embedding's gradient, only the rows of tokens that occurred are not zero. A block that is left out has no
/// bit set (a negative zero is sent), so a sum has the same bits as without packing.
package enum PackedPiece {
    /// Bytes of a block: about a row of an embedding.
    static let blockBytes = 1 << 10
    /// Bytes of the piece that a word of the map stands for.
    static let wordBytes = UInt64.bitWidth * blockBytes

    /// Bytes of all the blocks that a row of `byteCount` bytes may touch.
    package static func mostBytes(ofRow byteCount: Int) -> Int {
        // Rows that fill blocks, or blocks that hold whole rows, share none with a neighbour.
        if byteCount % blockBytes == 0 || blockBytes % byteCount == 0 { return max(byteCount, blockBytes) }
        return (byteCount / blockBytes + 2) * blockBytes
    }

    /// The longest message of a piece of `byteCount` bytes.
    static func mostBytes(_ byteCount: Int) -> Int { mapBytes(byteCount) + byteCount }

    private static func mapBytes(_ byteCount: Int) -> Int {
        (byteCount + wordBytes - 1) / wordBytes * MemoryLayout<UInt64>.stride
    }

    /// Writes the message of `piece` to `message`, where there is room for the longest, and returns its length.
    static func pack(_ piece: UnsafeRawPointer, byteCount: Int, into message: UnsafeMutableRawPointer) -> Int {
        var end = mapBytes(byteCount)
        for (word, wordStart) in stride(from: 0, to: byteCount, by: wordBytes).enumerated() {
            var bits: UInt64 = 0
            let wordEnd = min(wordStart + wordBytes, byteCount)
            for (bit, start) in stride(from: wordStart, to: wordEnd, by: blockBytes).enumerated() {
                let count = min(blockBytes, byteCount - start)
                if unsafe isZero(piece + start, byteCount: count) { continue }
                bits |= 1 << UInt64(bit)
                unsafe (message + end).copyMemory(from: piece + start, byteCount: count)
                end += count
            }
            unsafe message.storeBytes(
                of: bits, toByteOffset: word * MemoryLayout<UInt64>.stride, as: UInt64.self)
        }
        return end
    }

    private static func isZero(_ start: UnsafeRawPointer, byteCount: Int) -> Bool {
        var bits = SIMD8<UInt64>.zero
        let lane = MemoryLayout<SIMD8<UInt64>>.stride
        var offset = 0
        while offset + lane <= byteCount {
            bits |= unsafe start.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt64>.self)
            offset += lane
        }
        var rest: UInt8 = 0
        while offset < byteCount {
            rest |= unsafe start.load(fromByteOffset: offset, as: UInt8.self)
            offset += 1
        }
        return bits == .zero && rest == 0
    }

    /// Goes through the blocks of a message. Safe as long as the message is kept.
    @safe struct Reader {
        private let message: UnsafeRawPointer
        private var block: Int
        /// Offset in the message of the next block that it holds, in bytes.
        private var offset: Int

        /// - Parameters:
        ///   - byteCount: bytes of the whole piece.
        ///   - start: offset in the piece at which the reading begins, in bytes; a multiple of ``wordBytes``.
        init(_ message: UnsafeRawPointer, byteCount: Int, from start: Int) {
            precondition(start % wordBytes == 0, "blocks are read from a word of the map on")
            unsafe self.message = message
            block = start / blockBytes
            offset = mapBytes(byteCount)
            for word in 0..<(start / wordBytes) {
                offset += unsafe Self.word(word, of: message).nonzeroBitCount * blockBytes
            }
        }

        /// The next block of the piece; nil stands for zeros. Only the last of a piece may be shorter than the others.
        mutating func next() -> UnsafeRawPointer? {
            defer { block += 1 }
            let bits = unsafe Self.word(block / UInt64.bitWidth, of: message)
            guard bits >> UInt64(block % UInt64.bitWidth) & 1 == 1 else { return nil }
            defer { offset += blockBytes }
            return unsafe message + offset
        }

        private static func word(_ index: Int, of message: UnsafeRawPointer) -> UInt64 {
            unsafe message.loadUnaligned(fromByteOffset: index * MemoryLayout<UInt64>.stride, as: UInt64.self)
        }
    }
}
