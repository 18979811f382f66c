// SafetensorsFile - tensors read from an open safetensors file, as fp32, a block at a time.

internal import Glibc
internal import JSONReading
internal import Primitives
internal import SentencePieceText
internal import Tensors

/// A safetensors file whose header has been checked.
///
/// It is read with `pread`, not mapped. Why: a mapped file that becomes shorter ends the process.
final class SafetensorsFile {
    let path: String
    let header: SafetensorsHeader
    private let descriptor: Int32

    /// Elements converted at a time.
    private static let blockCount = 1 << 20

    /// Opens a file and checks its header. The corresponding C function is `open`.
    init(path: String) throws(HuggingFaceError) {
        // Opening a pipe would wait for a writer.
        var info = stat()
        guard unsafe stat(path, &info) == 0 else { throw .system(errno, "look at the file", path) }
        guard info.st_mode & S_IFMT == S_IFREG else {
            throw HuggingFaceError(.io, file: path, "this is no regular file")
        }
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(errno, "open the file", path) }
        do throws(HuggingFaceError) {
            guard unsafe fstat(descriptor, &info) == 0 else {
                throw HuggingFaceError.system(errno, "look at the file", path)
            }
            header = try Self.header(descriptor, path, byteCount: Int(info.st_size))
        } catch {
            close(descriptor)
            throw error
        }
        self.path = path
        self.descriptor = descriptor
    }

    // Nothing was written, so a failing close loses nothing.
    deinit { _ = close(descriptor) }

    private static func header(
        _ descriptor: Int32, _ path: String, byteCount: Int
    ) throws(HuggingFaceError) -> SafetensorsHeader {
        do throws(HuggingFaceError) {
            return try SafetensorsHeader(fileByteCount: byteCount, file: path) { range throws(HuggingFaceError) in
                try bytes(range, descriptor, path)
            }
        } catch {
            // The real kind of the file helps more than the mistake in its header.
            let start = try bytes(0..<min(byteCount, UnexpectedContent.byteCount), descriptor, path)
            guard let content = UnexpectedContent(start, insteadOf: .safetensors) else { throw error }
            throw HuggingFaceError(.unexpectedContent, file: path, "\(content.problem); \(content.remedy)")
        }
    }

    private static func bytes(
        _ range: Range<Int>, _ descriptor: Int32, _ path: String
    ) throws(HuggingFaceError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        try unsafe bytes.withUnsafeMutableBytes { buffer in
            Result { () throws(HuggingFaceError) in
                try unsafe fill(buffer, from: range.lowerBound, descriptor, path)
            }
        }.get()
        return bytes
    }

    /// Reads a tensor of type F32, F16 or BF16, which convert to fp32 without loss.
    ///
    /// Traps unless `target` has as many elements.
    ///
    /// - Throws: ``HuggingFaceError``: `unreadableType` for any other type, `truncated` or `io`.
    func read(_ tensor: SafetensorsHeader.Tensor, into target: FloatSlice) throws(HuggingFaceError) {
        precondition(target.count == tensor.count, "\(tensor.count) elements do not fit \(target.count) floats")
        switch tensor.type {
        case .float32:
            let buffer = unsafe UnsafeMutableRawBufferPointer(
                start: target.view.pointer, count: target.count * MemoryLayout<Float>.stride)
            try unsafe Self.fill(buffer, from: tensor.bytes.lowerBound, descriptor, path)
            withExtendedLifetime(target) {}
        case .float16:
            try readHalves(tensor, into: target) { Float(Float16(bitPattern: $0)) }
        case .bfloat16:
            try readHalves(tensor, into: target) { Float(bitPattern: UInt32($0) << 16) }
        default:
            throw HuggingFaceError(
                .unreadableType, file: path,
                "\(quoted(tensor.name)) has the dtype \(tensor.type.rawValue); weights are read as F32, F16 or BF16")
        }
    }

    private func readHalves(
        _ tensor: SafetensorsHeader.Tensor, into target: FloatSlice, _ convert: (UInt16) -> Float
    ) throws(HuggingFaceError) {
        var block = [UInt16](repeating: 0, count: min(target.count, Self.blockCount))
        let view = target.view
        var start = 0
        while start < target.count {
            let count = min(block.count, target.count - start)
            try unsafe block.withUnsafeMutableBytes { buffer in
                Result { () throws(HuggingFaceError) in
                    try unsafe Self.fill(
                        UnsafeMutableRawBufferPointer(rebasing: buffer[..<(2 * count)]),
                        from: tensor.bytes.lowerBound + 2 * start, descriptor, path)
                }
            }.get()
            for index in 0..<count { view[start + index] = convert(UInt16(littleEndian: block[index])) }
            start += count
        }
        withExtendedLifetime(target) {}
    }

    /// Fills `buffer` with the bytes from `offset` on. The corresponding C function is `pread`.
    private static func fill(
        _ buffer: UnsafeMutableRawBufferPointer, from offset: Int, _ descriptor: Int32, _ path: String
    ) throws(HuggingFaceError) {
        var filled = 0
        while filled < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = retryingOnInterrupt {
                unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(offset + filled))
            }
            guard count >= 0 else { throw .system(errno, "read the file", path) }
            guard count > 0 else {
                throw HuggingFaceError(
                    .truncated, file: path, "the file became shorter while it was read: is something writing to it?")
            }
            filled += count
        }
    }
}
