// ZstandardReader - checked streaming decompression of .zst files.

internal import CZstd

/// Reads a `.zst` file chunk by chunk: any number of frames, skippable frames included, in bounded memory.
///
/// A file is an error if it ends inside a frame, or holds anything but frames. It never gives a short text without an
/// error.
public final class ZstandardReader {
    /// Largest window of a frame, as a power of two of bytes: 128 MiB, the default limit of `zstd`.
    static let maximumWindowLog = 27

    private let file: InputFile
    private let context: DecompressionContext
    private let chunkSize: Int
    private let inputSize: Int
    private var input: [UInt8] = []
    /// Bytes of `input` that the decompressor has consumed.
    private var inputPosition = 0
    private var reachedEnd = false
    /// Whether the decompressor is between frames, the only point where the file may end.
    private var isBetweenFrames = true

    /// Opens the compressed file at `path`.
    ///
    /// - Parameters:
    ///   - path: the compressed file.
    /// - chunkSize: maximum number of bytes that one call of ``next()`` returns.
    /// - inputSize: number of compressed bytes that are read at a time.
    /// - Throws: ``ZstandardError`` if the file cannot be opened.
    public init(path: String, chunkSize: Int = 1 << 17, inputSize: Int = 1 << 17) throws(ZstandardError) {
        precondition(chunkSize > 0 && inputSize > 0, "chunks hold at least one byte")
        file = try InputFile(path: path)
        context = try DecompressionContext(path: path)
        self.chunkSize = chunkSize
        self.inputSize = inputSize
    }

    /// Compressed bytes consumed so far.
    public var offset: Int { file.position - (input.count - inputPosition) }

    /// The next decompressed bytes, at least one; nil at the end of a complete file.
    ///
    /// - Throws: ``ZstandardError`` for a truncated, corrupt or unreadable file.
    ///
    /// The corresponding C function is `ZSTD_decompressStream`.
    public func next() throws(ZstandardError) -> [UInt8]? {
        while true {
            if inputPosition == input.count && !reachedEnd {
                try file.read(into: &input, limit: inputSize)
                inputPosition = 0
                reachedEnd = input.isEmpty
                if reachedEnd && file.position == 0 {
                    throw ZstandardError(path: file.path, offset: 0, reason: .truncated, detail: "without any data")
                }
            }
            if reachedEnd && isBetweenFrames { return nil }
            let output = try decompress()
            if !output.isEmpty { return output }
            // Without input the decompressor only flushes. If it flushes nothing, the frame has no end.
            if reachedEnd && !isBetweenFrames {
                throw ZstandardError(
                    path: file.path, offset: offset, reason: .truncated, detail: "inside a compressed frame")
            }
        }
    }

    /// The output of one call of the decompressor; may be empty.
    private func decompress() throws(ZstandardError) -> [UInt8] {
        var status = 0
        var consumed = inputPosition
        let output = unsafe [UInt8](unsafeUninitializedCapacity: chunkSize) { memory, initializedCount in
            unsafe input.withUnsafeBytes { bytes in
                var source = unsafe ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: inputPosition)
                var target = unsafe ZSTD_outBuffer(dst: memory.baseAddress, size: chunkSize, pos: 0)
                status = unsafe ZSTD_decompressStream(context.pointer, &target, &source)
                consumed = unsafe source.pos
                initializedCount = unsafe target.pos
            }
        }
        inputPosition = consumed
        guard ZSTD_isError(status) == 0 else {
            throw DecompressionContext.failure(path: file.path, offset: offset, status: status)
        }
        isBetweenFrames = status == 0
        return output
    }
}

/// The library's decompression state, freed with its owner.
@safe private final class DecompressionContext {
    /// Not Sendable: only its owner uses it, on one thread at a time.
    let pointer: OpaquePointer

    init(path: String) throws(ZstandardError) {
        guard let created = unsafe ZSTD_createDCtx() else {
            throw ZstandardError(path: path, offset: 0, reason: .library, detail: "no memory for the decompressor")
        }
        unsafe pointer = created
        // The library's default. Why: memory must not depend on the library's version.
        let status = unsafe ZSTD_DCtx_setParameter(
            created, ZSTD_d_windowLogMax, Int32(ZstandardReader.maximumWindowLog))
        guard ZSTD_isError(status) == 0 else { throw Self.failure(path: path, offset: 0, status: status) }
    }

    // Freeing fails only for a context with a static workspace.
    deinit { _ = unsafe ZSTD_freeDCtx(pointer) }

    /// The error of a failed call with this `status`.
    static func failure(path: String, offset: Int, status: Int) -> ZstandardError {
        let code = czstd_error_code(status)
        let reason: ZstandardError.Reason =
            if code == czstd_window_too_large() {
                .windowTooLarge
            } else if code == czstd_memory_allocation() {
                .library
            } else {
                .corrupt
            }
        let words = unsafe String(cString: ZSTD_getErrorName(status))
        return ZstandardError(path: path, offset: offset, reason: reason, detail: words)
    }
}
