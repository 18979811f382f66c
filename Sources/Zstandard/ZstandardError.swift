// ZstandardError - why a compressed file could not be read.

/// An error in a `.zst` file: why, and at which byte, it cannot be decompressed to its end.
public struct ZstandardError: Error, CustomStringConvertible, Equatable {
    public enum Reason: Sendable, Equatable {
        /// The operating system refused to open or read the file.
        case unreadable(errno: Int32)
        /// The file ends inside a frame, or holds no frame at all.
        case truncated
        /// No compressor wrote the bytes: no frame header, a wrong checksum, or an impossible block.
        case corrupt
        /// The frame needs a window of more than 2^``ZstandardReader/maximumWindowLog`` bytes.
        case windowTooLarge
        /// A failure of the decompressor itself, for example no memory.
        case library
    }

    public let path: String
    /// Number of compressed bytes consumed when the error was noticed.
    public let offset: Int
    public let reason: Reason
    /// The message of the library or of the operating system.
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
