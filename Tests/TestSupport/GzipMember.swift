// GzipMember - gzip data made by other code than zlib's.

/// A gzip member (RFC 1952) of stored blocks (RFC 1951): nothing is compressed, every reader must read it.
public func gzipMember(_ bytes: [UInt8]) -> [UInt8] {
    func littleEndian(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    var member: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
    var start = 0
    repeat {
        let end = min(start + 65_535, bytes.count)
        let length = end - start
        member += [end == bytes.count ? 1 : 0] + littleEndian(length, 2) + littleEndian(~length, 2)
        member += bytes[start..<end]
        start = end
    } while start < bytes.count
    return member + littleEndian(crc32(bytes), 4) + littleEndian(bytes.count, 4)
}

/// The cyclic redundancy check of ISO 3309, bit by bit.
private func crc32(_ bytes: [UInt8]) -> Int {
    var remainder: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
        remainder ^= UInt32(byte)
        for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
    return Int(~remainder)
}
