// SafetensorsWriter - writes tensors as a safetensors file; equal tensors give equal bytes.

internal import Glibc
internal import JSONReading
internal import Primitives
internal import Tensors

/// Writes tensors with the same bytes as the package `safetensors`.
///
/// Names are sorted, and the JSON is compact. The metadata `format: pt` is there, because transformers refuses files
/// without it. Blanks fill the header up to a multiple of eight bytes.
enum SafetensorsWriter {
    /// The header with its length in front.
    static func header(_ tensors: [TensorTable.Entry], type: ExportedType = .fp32) -> [UInt8] {
        var text = #"{"__metadata__":{"format":"pt"}"#
        var offset = 0
        for tensor in tensors {
            let end = offset + tensor.count * type.stored.size
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            text += ",\(JSONTree.quote(tensor.name)):"
            text += #"{"dtype":"\#(type.stored.rawValue)","shape":[\#(shape)],"data_offsets":[\#(offset),\#(end)]}"#
            offset = end
        }
        text += "}"
        // Eight bytes of length and a multiple of eight: the data are aligned for whoever maps the file.
        let bytes = Array(text.utf8)
        let padding = (8 - bytes.count % 8) % 8
        let length = UInt64(bytes.count + padding)
        let prefix = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) }
        return prefix + bytes + [UInt8](repeating: UInt8(ascii: " "), count: padding)
    }

    /// Writes a file and makes it durable.
    ///
    /// - Parameters:
    ///   - tensors: the tensors of the file, in any order.
    ///   - type: the format of the elements, to which they are rounded to the nearest, ties to even.
    ///   - buffer: memory for one block of floats.
    ///   - read: fills a slice of the buffer with the elements at a range of the flat space.
    /// - Throws: `nonFinite` for a finite number beyond the format, besides errors of files and of `read`.
    static func write(
        _ tensors: [TensorTable.Entry], to path: String, type: ExportedType = .fp32, buffer: FloatSlice,
        read: (_ range: Range<Int>, _ target: FloatSlice) throws -> Void
    ) throws {
        let sorted = tensors.sorted { $0.name < $1.name }
        let file = try WritableFile(path: path)
        try file.write(header(sorted, type: type))
        for tensor in sorted {
            var start = tensor.range.lowerBound
            while start < tensor.range.upperBound {
                let end = min(tensor.range.upperBound, start + buffer.count)
                let block = buffer[0..<(end - start)]
                try read(start..<end, block)
                switch type {
                case .fp32: try file.write(block)
                case .bf16: try file.write(bfloat16(block, of: tensor, path))
                case .fp16: try file.write(float16(block, of: tensor, path))
                }
                start = end
            }
        }
        try file.finish()
    }

    private static func bfloat16(
        _ block: FloatSlice, of tensor: TensorTable.Entry, _ path: String
    ) throws(HuggingFaceError) -> [UInt16] {
        let rounded = BFloat16Slice(count: block.count)
        let (source, target) = (block.view, rounded.view)
        for index in 0..<block.count {
            target[index] = source[index]
            guard target[index].isFinite || !source[index].isFinite else {
                throw HuggingFaceError(
                    .nonFinite, file: path,
                    "\(tensor.name) has the number \(source[index]), and bf16 ends at 3.3895e38: export in fp32")
            }
        }
        return (0..<block.count).map { UInt16(truncatingIfNeeded: target[$0].bitPattern >> 16) }
    }

    private static func float16(
        _ block: FloatSlice, of tensor: TensorTable.Entry, _ path: String
    ) throws(HuggingFaceError) -> [UInt16] {
        let source = block.view
        let halves = (0..<block.count).map { Float16(source[$0]) }
        if let index = halves.indices.first(where: { halves[$0].isInfinite && source[$0].isFinite }) {
            throw HuggingFaceError(
                .nonFinite, file: path,
                "\(tensor.name) has the number \(source[index]), and fp16 ends at 65504: export in bf16 or fp32")
        }
        return halves.map(\.bitPattern)
    }
}

/// A new file that is written front to back.
private final class WritableFile {
    private let path: String
    private let descriptor: Int32
    private var isOpen = true

    /// The corresponding C function is `open`.
    init(path: String) throws(HuggingFaceError) {
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .system(errno, "create the file", path) }
        self.path = path
    }

    deinit { if isOpen { close(descriptor) } }

    func write(_ bytes: [UInt8]) throws(HuggingFaceError) {
        try unsafe bytes.withUnsafeBytes { buffer in
            Result { () throws(HuggingFaceError) in try unsafe write(buffer) }
        }.get()
    }

    /// Writes floats as they lie in memory, which is little-endian (see `Hash.swift`).
    func write(_ floats: FloatSlice) throws(HuggingFaceError) {
        let buffer = unsafe UnsafeRawBufferPointer(
            start: floats.view.pointer, count: floats.count * MemoryLayout<Float>.stride)
        try unsafe write(buffer)
        withExtendedLifetime(floats) {}
    }

    /// Writes halves as they lie in memory, which is little-endian (see `Hash.swift`).
    func write(_ halves: [UInt16]) throws(HuggingFaceError) {
        try unsafe halves.withUnsafeBytes { buffer in
            Result { () throws(HuggingFaceError) in try unsafe write(buffer) }
        }.get()
    }

    private func write(_ buffer: UnsafeRawBufferPointer) throws(HuggingFaceError) {
        var written = 0
        while written < buffer.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
            let count = retryingOnInterrupt { unsafe Glibc.write(descriptor, rest.baseAddress, rest.count) }
            guard count >= 0 else { throw .system(errno, "write the file", path) }
            written += count
        }
    }

    /// Waits until the file is on disk, and closes it. Quota and network file systems may report a failed write here.
    func finish() throws(HuggingFaceError) {
        guard fsync(descriptor) == 0 else { throw .system(errno, "sync the file to disk", path) }
        isOpen = false
        guard close(descriptor) == 0 else { throw .system(errno, "close the file", path) }
    }
}
