// SafetensorsHeader - the header of a safetensors file: names, types, shapes and places of its tensors.

internal import JSONReading

/// The header of a safetensors file.
///
/// A file has three parts: the header's length (u64, little-endian), the header (JSON, perhaps with blanks behind it),
/// and the data. The header maps each tensor's name to `dtype`, `shape` and `data_offsets`, and `__metadata__` to
/// strings. ``init(fileByteCount:file:read:)`` checks that the tensors fill the data without overlap or hole.
///
/// The header's length bounds the memory that is allocated; the file's length bounds the header's.
struct SafetensorsHeader: Equatable {
    struct Tensor: Equatable {
        let name: String
        let type: SafetensorsType
        let shape: [Int]
        /// Position of the tensor's bytes in the file.
        let bytes: Range<Int>

        var count: Int { bytes.count / type.size }
    }

    /// The format's own limit to a header, in bytes.
    static let largestByteCount = 100_000_000
    private static let lengthByteCount = 8
    private static let metadataKey = "__metadata__"

    /// The tensors, in the order of their data.
    let tensors: [Tensor]

    /// Reads and checks a header.
    ///
    /// - Parameters:
    ///   - fileByteCount: size of the file.
    ///   - file: path of the file, for messages.
    ///   - read: returns the bytes in a range, which lies inside the file.
    init(
        fileByteCount: Int, file: String, read: (Range<Int>) throws(HuggingFaceError) -> [UInt8]
    ) throws(HuggingFaceError) {
        guard fileByteCount >= Self.lengthByteCount else {
            throw HuggingFaceError(
                .truncated, file: file, "the file has \(fileByteCount) bytes, fewer than the length of its header")
        }
        let length = try read(0..<Self.lengthByteCount).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= Self.largestByteCount else {
            throw HuggingFaceError(
                .headerTooLong, file: file,
                "the header claims \(length) bytes; the format allows \(Self.largestByteCount): this is no safetensors"
                    + " file, or a damaged one")
        }
        let dataStart = Self.lengthByteCount + Int(length)
        guard dataStart <= fileByteCount else {
            throw HuggingFaceError(
                .truncated, file: file,
                "the header claims \(length) bytes, and the file has \(fileByteCount): copy it again")
        }
        let text = try read(Self.lengthByteCount..<dataStart)
        guard text.first == UInt8(ascii: "{") else {
            throw HuggingFaceError(.malformedJSON, file: file, "the header does not begin with '{'")
        }
        let parsed = try Self.parse(text, file: file)
        let dataByteCount = fileByteCount - dataStart
        for tensor in parsed where tensor.offsets.upperBound > dataByteCount {
            throw HuggingFaceError(
                .outsideData, file: file,
                "\(quoted(tensor.name)) has the bytes \(tensor.offsets) of data that end at \(dataByteCount): the file"
                    + " is damaged or incomplete")
        }
        tensors = try Self.arranged(parsed, dataStart: dataStart, dataByteCount: dataByteCount, file: file)
    }

    // MARK: - Entries

    /// A tensor as the header describes it, whatever the file's size.
    private struct Entry {
        let name: String
        let type: SafetensorsType
        let shape: [Int]
        /// Bytes of the tensor, counted from the start of the data.
        let offsets: Range<Int>
    }

    private static func parse(_ text: [UInt8], file: String) throws(HuggingFaceError) -> [Entry] {
        var scanner = JSONScanner(text, file: file)
        var entries: [Entry] = []
        try scanner.object("the header", repeated: .duplicateTensor) { scanner, name throws(HuggingFaceError) in
            if name == metadataKey {
                try checkMetadata(&scanner, file: file)
            } else {
                entries.append(try entry(&scanner, name: name, file: file))
            }
        }
        try scanner.finish()
        return entries
    }

    private static func checkMetadata(_ scanner: inout JSONScanner, file: String) throws(HuggingFaceError) {
        guard try scanner.peek() == .object else {
            // The value is read first: malformed JSON is the better error.
            try scanner.skip()
            throw HuggingFaceError(.badMetadata, file: file, "\(metadataKey) is not an object")
        }
        try scanner.object(metadataKey) { scanner, key throws(HuggingFaceError) in
            guard try scanner.peek() == .string else {
                try scanner.skip()
                throw HuggingFaceError(.badMetadata, file: file, "\(metadataKey): \(quoted(key)) is not a string")
            }
            _ = try scanner.string(metadataKey)
        }
    }

    private static func entry(
        _ scanner: inout JSONScanner, name: String, file: String
    ) throws(HuggingFaceError) -> Entry {
        let label = quoted(name)
        var typeName: String?
        var shape: [Int?]?
        var offsets: [Int?]?
        try scanner.object(label) { scanner, key throws(HuggingFaceError) in
            switch key {
            case "dtype": typeName = try scanner.string("dtype of \(label)")
            case "shape": shape = try sizes(&scanner, "shape of \(label)")
            case "data_offsets": offsets = try sizes(&scanner, "data_offsets of \(label)")
            default:
                try scanner.skip()
                throw HuggingFaceError(
                    .badEntry, file: file,
                    "\(label) has the field \(quoted(key)); the format has dtype, shape and data_offsets")
            }
        }
        guard let typeName, let shape, let offsets else {
            let missing = typeName == nil ? "dtype" : shape == nil ? "shape" : "data_offsets"
            throw HuggingFaceError(.badEntry, file: file, "\(label) has no \(missing)")
        }
        guard let type = SafetensorsType(rawValue: typeName) else {
            let known = SafetensorsType.allCases.map(\.rawValue).joined(separator: ", ")
            throw HuggingFaceError(
                .unknownType, file: file, "\(label) has the dtype \(quoted(typeName)); known are \(known)")
        }
        let dimensions = shape.compactMap(\.self)
        guard dimensions.count == shape.count else {
            throw HuggingFaceError(
                .badShape, file: file, "the shape of \(label) holds a number that is not in 0 ..< 2^63")
        }
        guard let byteCount = byteCount(dimensions, type) else {
            throw HuggingFaceError(
                .shapeOverflow, file: file, "the sizes of \(label) multiply to more bytes than a file can hold")
        }
        guard offsets.count == 2, let begin = offsets[0], let end = offsets[1] else {
            throw HuggingFaceError(
                .badEntry, file: file, "data_offsets of \(label) must be two numbers in 0 ..< 2^63: begin and end")
        }
        guard begin <= end else {
            throw HuggingFaceError(
                .reversedOffsets, file: file, "the data of \(label) begin at byte \(begin) and end at \(end)")
        }
        guard end - begin == byteCount else {
            throw HuggingFaceError(
                .wrongByteCount, file: file,
                "\(label) has \(end - begin) bytes of data; \(typeName) and its shape make \(byteCount)")
        }
        return Entry(name: name, type: type, shape: dimensions, offsets: begin..<end)
    }

    /// An array of numbers; nil stands for one that is no size.
    private static func sizes(_ scanner: inout JSONScanner, _ what: String) throws(HuggingFaceError) -> [Int?] {
        var values: [Int?] = []
        try scanner.array(what) { scanner throws(HuggingFaceError) in
            values.append(try scanner.size("an element of \(what)"))
        }
        return values
    }

    /// Bytes of a tensor; nil for more than an `Int` holds.
    private static func byteCount(_ shape: [Int], _ type: SafetensorsType) -> Int? {
        // An empty tensor stays empty whatever its other sizes are.
        if shape.contains(0) { return 0 }
        var product = type.size
        for size in shape {
            let (next, overflow) = product.multipliedReportingOverflow(by: size)
            if overflow { return nil }
            product = next
        }
        return product
    }

    // MARK: - Arrangement

    /// The tensors in the order of their data, which they must fill without overlap or hole.
    private static func arranged(
        _ entries: [Entry], dataStart: Int, dataByteCount: Int, file: String
    ) throws(HuggingFaceError) -> [Tensor] {
        let sorted = entries.sorted {
            ($0.offsets.lowerBound, $0.offsets.upperBound, $0.name)
                < ($1.offsets.lowerBound, $1.offsets.upperBound, $1.name)
        }
        var end = 0
        var previous = ""
        for entry in sorted {
            let begin = entry.offsets.lowerBound
            guard begin >= end else {
                throw HuggingFaceError(
                    .overlap, file: file,
                    "the data of \(quoted(entry.name)) begin at byte \(begin), inside those of \(quoted(previous)),"
                        + " which end at \(end)")
            }
            guard begin == end else {
                throw HuggingFaceError(
                    .hole, file: file, "the bytes \(end)..<\(begin) of the data belong to no tensor")
            }
            end = entry.offsets.upperBound
            previous = entry.name
        }
        guard end == dataByteCount else {
            throw HuggingFaceError(
                .hole, file: file, "the bytes \(end)..<\(dataByteCount) of the data belong to no tensor")
        }
        return sorted.map { entry in
            Tensor(
                name: entry.name, type: entry.type, shape: entry.shape,
                bytes: (dataStart + entry.offsets.lowerBound)..<(dataStart + entry.offsets.upperBound))
        }
    }
}
