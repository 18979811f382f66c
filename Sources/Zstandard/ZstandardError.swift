// ZstandardError - why a compressed file could not be read.

/// A `.zst` file that cannot be decompressed to its end.
public struct ZstandardError: Error, CustomStringConvertible, Equatable {
    /// What went wrong.
    public enum Reason: Sendable, Equatable {
        /// The operating system refused to open or read the file.
        case unreadable(errno: Int32)
        /// The file ends inside a frame, or holds no frame at all.
        case truncated
        /// The bytes are not what a compressor writes: no frame header, a wrong checksum, an impossible block.
        case corrupt
        /// The frame needs a larger window than the reader grants; see ``ZstandardReader/maximumWindowLog``.
        case windowTooLarge
        /// The decompressor's own failure, for example no memory left.
        case library
    }

    /// The file, as it was given.
    public let path: String
    /// Byte of the compressed file up to which everything was consumed when the error was noticed.
    public let offset: Int
    public let reason: Reason
    /// The library's or the operating system's own words.
    public let detail: String

    public var description: String {
        switch reason {
        case .unreadable: "\(path): cannot be read: \(detail)"
        case .truncated: "\(path): truncated: the file ends at byte \(offset) \(detail); copy or download it again"
        case .corrupt: "\(path): not valid zstd data at byte \(offset): \(detail); copy or download the file again"
        case .windowTooLarge:
            "\(path): the frame at byte \(offset) needs a window of more than 128 MiB (\(detail)); compress it again "
                + "without --long or --ultra"
        case .library: "\(path): decompression failed at byte \(offset): \(detail)"
        }
    }
}
