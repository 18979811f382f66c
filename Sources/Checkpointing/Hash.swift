// Hash - SHA-256 of files, bytes and floats as text.

internal import Digests
internal import Tensors

// Values are stored and hashed as little-endian fp32, straight from memory.
#if _endian(big)
    #error("checkpoints are written and hashed in memory order, which must be little-endian")
#endif

/// SHA-256 as lower-case hexadecimal.
enum Hash {
    /// Characters of a digest.
    static let length = 2 * SHA256.byteCount

    static func file(_ path: String) throws(CheckpointError) -> String {
        let hasher = SHA256()
        try Files.forEachBlock(of: path) { block in
            unsafe block.withUnsafeBytes { unsafe hasher.update(bufferPointer: $0) }
        }
        return hexadecimalDigits(of: hasher.finalize())
    }

    static func bytes(_ bytes: [UInt8]) -> String { hexadecimalDigits(of: SHA256.hash(data: bytes)) }

    /// Whether `text` has the form of a digest: 64 lower-case hexadecimal digits.
    static func isWellFormed(_ text: String) -> Bool {
        text.utf8.count == length && text.utf8.allSatisfy(Array("0123456789abcdef".utf8).contains)
    }
}

extension SHA256 {
    /// Adds floats as little-endian bytes.
    func update(_ slice: FloatSlice) {
        let byteCount = slice.count * MemoryLayout<Float>.stride
        unsafe update(bufferPointer: UnsafeRawBufferPointer(start: slice.view.pointer, count: byteCount))
        withExtendedLifetime(slice) {}
    }
}
