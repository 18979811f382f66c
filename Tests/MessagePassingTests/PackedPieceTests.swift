// PackedPieceTests - pieces without their blocks of zeros: what a message holds, and what is read from it.

import TestSupport
import Testing

@testable import MessagePassing

@Suite struct PackedPieceTests {
    private let block = PackedPiece.blockBytes
    private let word = PackedPiece.wordBytes

    /// The message of `piece`, in a buffer whose other bytes are 0xAA.
    private func message(of piece: [UInt8]) -> [UInt8] {
        var message = [UInt8](repeating: 0xAA, count: PackedPiece.mostBytes(piece.count) + 64)
        let length = unsafe piece.withUnsafeBytes { source in
            unsafe message.withUnsafeMutableBytes { target in
                guard let source = source.baseAddress, let target = target.baseAddress else { return 0 }
                return unsafe PackedPiece.pack(source, byteCount: piece.count, into: target)
            }
        }
        #expect(message[length...].allSatisfy { $0 == 0xAA }, "written behind the end")
        return Array(message[..<length])
    }

    /// What a reader finds from `start` on in the message of a piece of `count` bytes.
    private func read(_ message: [UInt8], count: Int, from start: Int = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        unsafe message.withUnsafeBytes { buffer in
            guard let address = buffer.baseAddress else { return }
            var reader = unsafe PackedPiece.Reader(address, byteCount: count, from: start)
            for position in stride(from: start, to: count, by: block) {
                let length = min(block, count - position)
                if let found = unsafe reader.next() {
                    unsafe bytes += UnsafeRawBufferPointer(start: found, count: length)
                } else {
                    bytes += [UInt8](repeating: 0, count: length)
                }
            }
        }
        return bytes
    }

    @Test func onlyBlocksWithASetBitAreSent() {
        var random = SeededGenerator(seed: 3)
        for count in [4, block - 4, block, block + 4, 3 * block, word, word + block + 8, 5 * word - 4] {
            for oneIn in [1, 2, 30] {
                var piece = [UInt8](repeating: 0, count: count)
                var sent = 0
                for start in stride(from: 0, to: count, by: block)
                where Int.random(in: 0..<oneIn, using: &random) == 0 {
                    let length = min(block, count - start)
                    // A single bit, anywhere.
                    piece[start + Int.random(in: 0..<length, using: &random)] =
                        1 << UInt8.random(in: 0..<8, using: &random)
                    sent += length
                }
                let message = message(of: piece)
                let map = (count + word - 1) / word * 8
                #expect(message.count == map + sent, "\(count) bytes, one block in \(oneIn)")
                for start in stride(from: 0, to: count, by: word) {
                    #expect(read(message, count: count, from: start) == Array(piece[start...]), "\(count), \(start)")
                }
            }
        }
    }

    @Test func aNegativeZeroIsNotLeftOut() {
        var piece = [UInt8](repeating: 0, count: 2 * block)
        // The sign of the last float, in the last byte.
        piece[2 * block - 1] = 0x80
        #expect(message(of: piece).count == 8 + block)
        #expect(read(message(of: piece), count: 2 * block) == piece)
    }

    /// Rows of many sizes, one after another from the start of a buffer.
    @Test func blocksThatARowMayTouch() {
        for row in [4, 256, 512, 768, 1024, 1536, 2048, 3072, 4096, 8192, 8196] {
            var most = 0
            for index in 0..<2000 {
                let first = index * row / block
                let last = ((index + 1) * row - 1) / block
                most = max(most, last - first + 1)
            }
            let allowed = PackedPiece.mostBytes(ofRow: row) / block
            // Where rows lie anyhow, the bound may be one block too many.
            #expect(allowed == most || (allowed == most + 1 && row % block != 0 && block % row != 0), "\(row)")
        }
    }

    @Test func aFullPieceIsOnlyAMapLonger() {
        let piece = [UInt8](repeating: 7, count: word + 12)
        #expect(message(of: piece).count == 16 + piece.count && PackedPiece.mostBytes(piece.count) == 16 + piece.count)
    }
}
