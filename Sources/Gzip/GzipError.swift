// GzipError - why gzip data could not be decompressed.

/// Gzip data that cannot be decompressed to their end.
package struct GzipError: Error, Equatable {
    package enum Reason: Sendable, Equatable {
        /// The data end inside a member.
        case truncated
        /// The bytes are not what a compressor writes: no header, a wrong checksum, an impossible block.
        case corrupt
        /// Something that is no member follows a complete one.
        case trailingBytes
        /// The decompressor's own failure: no memory left.
        case library
    }

    package let reason: Reason
    /// Compressed bytes that were consumed when the error was noticed.
    package let offset: Int
    /// The library's own words.
    package let detail: String
}
