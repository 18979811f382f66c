// GzipReader - checked streaming decompression of gzip data by zlib.

internal import CZlib

/// Decompresses gzip data (RFC 1952) chunk by chunk: any number of members, one after the other, in bounded memory.
///
/// `pigz`, `bgzip` and web crawls write many members. Data are an error if they end inside a member, or if anything but
/// a member follows. They never give a short text without an error.
package final class GzipReader {
    private let read: () throws -> [UInt8]?
    private let stream: InflateStream
    private let chunkSize: Int
    private var input: [UInt8] = []
    /// Bytes of `input` that the decompressor has consumed.
    private var inputPosition = 0
    private var reachedEnd = false
    /// Whether the decompressor is between members, the only point where the data may end.
    private var isBetweenMembers = true
    /// Complete members so far.
    private var memberCount = 0
    /// Compressed bytes consumed so far, in all members.
    package private(set) var offset = 0
    /// Compressed bytes consumed of the present member.
    private var memberOffset = 0

    /// - Parameters:
    /// - chunkSize: maximum number of bytes that one call of ``next()`` returns.
    /// - read: returns the compressed bytes block by block, and nil at their end.
    /// - Throws: ``GzipError`` if memory is short.
    package init(chunkSize: Int = 1 << 20, read: @escaping () throws -> [UInt8]?) throws {
        precondition(chunkSize > 0, "chunks hold at least one byte")
        self.chunkSize = chunkSize
        self.read = read
        stream = try InflateStream()
    }

    /// The next decompressed bytes, at least one; nil at the end of complete data.
    ///
    /// - Throws: ``GzipError`` for truncated and corrupt data; errors of `read`.
    package func next() throws -> [UInt8]? {
        while true {
            try refill()
            if isBetweenMembers {
                if reachedEnd, memberCount > 0 { return nil }
                try startMember()
            }
            let output = try decompress()
            if !output.isEmpty { return output }
            // Without input the decompressor only flushes. If it flushes nothing, the member has no end.
            if reachedEnd, !isBetweenMembers { throw failure(.truncated, "inside a gzip member") }
        }
    }

    private func refill() throws {
        while inputPosition == input.count, !reachedEnd {
            inputPosition = 0
            if let block = try read() {
                input = block
            } else {
                input = []
                reachedEnd = true
            }
        }
    }

    /// Checks that the next byte can begin a member, and makes the decompressor ready for it.
    private func startMember() throws {
        guard !reachedEnd else { throw failure(.truncated, "without any data") }
        if memberCount > 0 {
            guard input[inputPosition] == Self.firstByte else { throw failure(.trailingBytes, Self.trailing) }
            stream.reset()
        }
        memberOffset = 0
        isBetweenMembers = false
    }

    private static let firstByte: UInt8 = 0x1F
    private static let trailing = "no gzip member begins there"

    /// The output of one call of the decompressor; may be empty.
    private func decompress() throws -> [UInt8] {
        let (output, consumed, status) = stream.inflate(input, from: inputPosition, chunkSize: chunkSize)
        inputPosition += consumed
        offset += consumed
        memberOffset += consumed
        switch status {
        case .more: break
        case .end:
            isBetweenMembers = true
            memberCount += 1
        case .corrupt(let words):
            // A member begins with two fixed bytes.
            guard memberCount > 0, memberOffset <= 2 else { throw failure(.corrupt, words) }
            throw GzipError(reason: .trailingBytes, offset: offset - memberOffset, detail: Self.trailing)
        case .noMemory: throw failure(.library, "no memory for the decompressor")
        }
        return output
    }

    private func failure(_ reason: GzipError.Reason, _ detail: String) -> GzipError {
        GzipError(reason: reason, offset: offset, detail: detail)
    }
}

/// The library's decompression state, freed with its owner.
///
/// Not Sendable: only its owner uses it, on one thread at a time.
@safe private final class InflateStream {
    enum Status {
        /// The member goes on.
        case more
        /// The member is complete, and its checksum and length are right.
        case end
        case corrupt(String)
        case noMemory
    }

    /// The stream, at a fixed address because the library's state points back to it.
    private let pointer: UnsafeMutablePointer<z_stream>

    /// The corresponding C function is `inflateInit2`.
    init() throws(GzipError) {
        let created = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        unsafe created.initialize(to: z_stream())
        let status = unsafe czlib_inflate_init(created)
        guard status == Z_OK else {
            unsafe created.deallocate()
            // The arguments are fixed, so only memory and another library than the header's can fail.
            precondition(status == Z_MEM_ERROR, "inflateInit2 failed with \(status)")
            throw GzipError(reason: .library, offset: 0, detail: "no memory for the decompressor")
        }
        unsafe pointer = created
    }

    deinit {
        let status = unsafe inflateEnd(pointer)
        precondition(status == Z_OK, "inflateEnd failed with \(status)")
        unsafe pointer.deallocate()
    }

    /// Makes the state ready for another member. The corresponding C function is `inflateReset`.
    func reset() {
        let status = unsafe inflateReset(pointer)
        precondition(status == Z_OK, "inflateReset failed with \(status)")
    }

    /// Decompresses some of `input`. The corresponding C function is `inflate`.
    ///
    /// - Returns: at most `chunkSize` bytes of output, the number of consumed bytes, and the state of the member.
    func inflate(
        _ input: [UInt8], from start: Int, chunkSize: Int
    ) -> (output: [UInt8], consumed: Int, status: Status) {
        // The library counts in 32 bits; blocks are far smaller.
        let given = min(input.count - start, Int(UInt32.max) / 2)
        let size = min(chunkSize, Int(UInt32.max) / 2)
        var (code, consumed) = (Z_OK, 0)
        let output = unsafe [UInt8](unsafeUninitializedCapacity: size) { memory, initializedCount in
            unsafe input.withUnsafeBufferPointer { bytes in
                // The library does not write through `next_in`.
                unsafe pointer.pointee.next_in = bytes.baseAddress.map {
                    unsafe UnsafeMutablePointer(mutating: $0 + start)
                }
                unsafe pointer.pointee.avail_in = UInt32(given)
                unsafe pointer.pointee.next_out = memory.baseAddress
                unsafe pointer.pointee.avail_out = UInt32(size)
                code = unsafe CZlib.inflate(pointer, Z_NO_FLUSH)
                consumed = given - Int(unsafe pointer.pointee.avail_in)
                initializedCount = size - Int(unsafe pointer.pointee.avail_out)
                // The two buffers end with this call.
                unsafe pointer.pointee.next_in = nil
                unsafe pointer.pointee.next_out = nil
            }
        }
        switch code {
        // Z_BUF_ERROR: the decompressor needs more input to go on.
        case Z_OK, Z_BUF_ERROR: return (output, consumed, .more)
        case Z_STREAM_END: return (output, consumed, .end)
        case Z_DATA_ERROR, Z_NEED_DICT:
            let words = unsafe pointer.pointee.msg.map { unsafe String(cString: $0) }
            return (output, consumed, .corrupt(words ?? "a preset dictionary is needed"))
        case Z_MEM_ERROR: return (output, consumed, .noMemory)
        default: preconditionFailure("inflate failed with \(code)")
        }
    }
}
