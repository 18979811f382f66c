// GzipError - why gzip data could not be decompressed.

/// An error in gzip data: why, and at which byte, they cannot be decompressed to their end.
package struct GzipError: Error, Equatable {
    package enum Reason: Sendable, Equatable {
        /// The data end inside a member.
        case truncated
        /// No compressor wrote the bytes: no header, a wrong checksum, or an impossible block.
        case corrupt
        /// Bytes that are no member follow a complete one.
        case trailingBytes
        /// The decompressor's own failure: no memory left.
        case library
    }

    package let reason: Reason
    /// Compressed bytes that were consumed when the error was noticed.
    package let offset: Int
    /// The library's message.
    package let detail: String
}
