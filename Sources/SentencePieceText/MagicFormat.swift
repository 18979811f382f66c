// MagicFormat - file formats that are known by their first bytes.

/// A format whose files begin with fixed bytes.
public enum MagicFormat: Sendable, CaseIterable {
    case gitLFSPointer, gzip, bzip2, xz, lz4, zstandard, zip, sevenZip, arrow, hdf5, numPy, gguf, pickle

    /// First bytes; no entry begins with the bytes of another.
    private static let table: [(bytes: [UInt8], format: MagicFormat)] = [
        (Array("version https://git-lfs.github.com/spec/".utf8), .gitLFSPointer), ([0x1F, 0x8B], .gzip),
        (Array("BZh".utf8), .bzip2), ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], .xz), ([0x04, 0x22, 0x4D, 0x18], .lz4),
        ([0x28, 0xB5, 0x2F, 0xFD], .zstandard), (Array("PK\u{3}\u{4}".utf8), .zip),
        ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], .sevenZip), (Array("ARROW1\0\0".utf8), .arrow),
        ([0xFF, 0xFF, 0xFF, 0xFF], .arrow), ([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A], .hdf5),
        ([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59], .numPy), (Array("GGUF".utf8), .gguf), ([0x80, 2], .pickle),
        ([0x80, 3], .pickle), ([0x80, 4], .pickle), ([0x80, 5], .pickle),
    ]

    /// - Parameter start: the first bytes of a file: 1,024 or more, or all of a shorter file.
    /// - Returns: nil for bytes that no format of the table begins with.
    public init?(_ start: [UInt8]) {
        let found = Self.table.first { start.starts(with: $0.bytes) }?.format
        guard let found, found.isCertain(start) else { return nil }
        self = found
    }

    /// Whether `start` is certainly of this format, where a text might begin with the magic bytes too.
    private func isCertain(_ start: [UInt8]) -> Bool {
        switch self {
        // The compression level, then the mark of the first block.
        case .bzip2: start.count >= 10 && start[4..<10] == [0x31, 0x41, 0x59, 0x26, 0x53, 0x59]
        // Git LFS takes no larger file for a pointer.
        case .gitLFSPointer: start.count < 1024
        default: true
        }
    }
}
