// LineChunks - files in chunks of whole lines or separated documents, for training and `prepare`.

package import InputFiles

/// Consecutive lines of a file, or consecutive documents between separators, which are numbered as lines are.
package struct LineChunk: Sendable, Equatable {
    /// Longest line in bytes. A longer line is malformed, so that memory is bounded for any file.
    package static let longestLine = 256 << 20

    private static let lineFeed = UInt8(ascii: "\n")

    /// Whole lines with their line feeds. A file's last line may have none.
    package var bytes: [UInt8] = []
    /// Whether one more line follows, which is too long and left out.
    var endsInLongLine = false
    /// Whether the chunk is the file's first.
    var isFirst = false
    /// Key of the text and encoding of the file.
    var reading = TextReading()
    /// The bytes between documents; nil for lines of JSON.
    var separator: [UInt8]?

    /// The content of a line.
    package enum Line {
        /// Only blanks, which are neither a document nor a mistake.
        case blank
        case document(JSONDocument)
        /// A document between separators, which may be no UTF-8.
        case text([UInt8])
        case malformed(JSONDocument.Problem)
    }

    /// Number of lines, a line that is too long included.
    package var lineCount: Int {
        if let separator {
            var count = 0
            Self.forEachPiece(of: bytes, separator) { _ in count += 1 }
            return count + (endsInLongLine ? 1 : 0)
        }
        let ends = bytes.count { $0 == Self.lineFeed }
        return ends + (bytes.last.map { $0 != Self.lineFeed } ?? false ? 1 : 0) + (endsInLongLine ? 1 : 0)
    }

    /// Calls `body` with each line and its number in the chunk, from 1.
    ///
    /// - Returns: the number of lines.
    @discardableResult
    package func forEachLine(_ body: (_ number: Int, _ line: Line) throws -> Void) throws -> Int {
        var number = 0
        try Self.forEachPiece(of: bytes, separator ?? [Self.lineFeed]) { piece in
            number += 1
            try body(number, line(piece, isFirst: isFirst && number == 1))
        }
        if endsInLongLine {
            number += 1
            try body(number, .malformed(separator == nil ? Self.tooLong : Self.tooLongText))
        }
        return number
    }

    static let tooLong = JSONDocument.Problem("the line is longer than \(longestLine >> 20) MiB")
    static let tooLongText = JSONDocument.Problem("the document is longer than \(longestLine >> 20) MiB")

    private func line(_ bytes: ArraySlice<UInt8>, isFirst: Bool) -> Line {
        // Some editors write a byte-order mark, which is no part of JSON.
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let line = isFirst && bytes.starts(with: mark) ? bytes.dropFirst(mark.count) : bytes
        if separator != nil {
            // A separator often stands on a line of its own, at the end of the file too.
            return line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D || $0 == 0x0A })
                ? .blank : .text(Array(line))
        }
        if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return .blank }
        do { return .document(try JSONDocument(line: Array(line), reading: reading)) } catch {
            return .malformed(error)
        }
    }

    /// Calls `body` with each piece of `bytes` before a separator, and with the last piece if it is not empty.
    private static func forEachPiece(
        of bytes: [UInt8], _ separator: [UInt8], _ body: (ArraySlice<UInt8>) throws -> Void
    ) rethrows {
        var start = 0
        while start < bytes.count {
            let end = firstIndex(of: separator, in: bytes, from: start) ?? bytes.count
            try body(bytes[start..<end])
            start = end + separator.count
        }
    }

    /// Index of the first `separator` in `bytes` at `start` or later; nil if there is none.
    static func firstIndex(of separator: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        precondition(!separator.isEmpty, "a separator has bytes")
        var index = start
        while index + separator.count <= bytes.count {
            guard let found = bytes[index...].firstIndex(of: separator[0]) else { return nil }
            if found + separator.count <= bytes.count,
                bytes[found..<(found + separator.count)].elementsEqual(separator)
            {
                return found
            }
            index = found + 1
        }
        return nil
    }
}

/// A file, read from its start, in chunks of lines or of documents between separators.
///
/// Chunk k holds the lines whose first byte has an offset in [k * size, (k + 1) * size). The cut depends on the file's
/// text only, not on its compression or its readers.
package struct LineChunks {
    private static let lineFeed = UInt8(ascii: "\n")

    private let size: Int
    private let longest: Int
    private let reading: TextReading
    private let separator: [UInt8]?
    private let read: () throws -> [UInt8]?
    /// Index of the next chunk.
    package private(set) var index = 0
    /// Offset in the file of the first byte of `pending`, which starts a line.
    private var base = 0
    private var pending: [UInt8] = []

    /// - Parameters:
    /// - size: nominal size of a chunk in bytes.
    /// - longest: longest line in bytes.
    /// - reading: key of the text, and encoding.
    /// - separator: the bytes between documents; nil for lines of JSON.
    /// - read: returns the bytes of the file, and nil at its end and at every later call.
    package init(
        size: Int, longest: Int = LineChunk.longestLine, reading: TextReading = TextReading(),
        separator: [UInt8]? = nil, read: @escaping () throws -> [UInt8]?
    ) {
        precondition(size > 0 && longest >= size, "a chunk is longer than any line")
        precondition(separator != [], "a separator has bytes")
        self.size = size
        self.longest = longest
        self.reading = reading
        self.separator = separator
        self.read = read
    }

    /// The next chunk, which may hold no line; nil after the last.
    package mutating func next() throws -> LineChunk? {
        let end = (index + 1) * size
        var chunk = LineChunk(isFirst: index == 0, reading: reading, separator: separator)
        if base < end && pending.isEmpty {
            if let block = try read() {
                pending = block
            } else if base <= index * size {
                return nil
            }
        }
        index += 1
        guard base < end, !pending.isEmpty else { return chunk }
        if let separator {
            try fill(&chunk, to: end, separator)
            return chunk
        }
        // The chunk's last line holds byte `end - 1`.
        var seen = end - 1 - base
        var cut: Int?
        while cut == nil {
            if seen < pending.count {
                cut = pending[seen...].firstIndex(of: Self.lineFeed).map { $0 + 1 }
                seen = pending.count
            }
            if cut == nil {
                if pending.count > end - base, pending.count - lastStart(before: end - base) > longest { break }
                guard let block = try read() else { break }
                pending += block
            }
        }
        let whole = cut ?? pending.count
        let start = lastStart(before: min(end - base, whole))
        let hasEnd = cut != nil
        if whole - start - (hasEnd ? 1 : 0) > longest {
            chunk.bytes = Array(pending[..<start])
            chunk.endsInLongLine = true
            try drop(whole)
            if !hasEnd { try dropLine() }
        } else {
            chunk.bytes = Array(pending[..<whole])
            try drop(whole)
        }
        return chunk
    }

    /// Index in `pending` of the last line start before `limit`.
    private func lastStart(before limit: Int) -> Int {
        // The line feed before a line that starts at `limit - 1` is at `limit - 2`.
        (pending[..<max(limit - 1, 0)].lastIndex(of: Self.lineFeed) ?? -1) + 1
    }

    private mutating func drop(_ count: Int) throws {
        pending.removeFirst(count)
        base += count
    }

    /// Moves the documents that begin before the offset `end` to `chunk`.
    private mutating func fill(_ chunk: inout LineChunk, to end: Int, _ separator: [UInt8]) throws {
        // The present document begins at `start`; no separator begins between `start` and `seen`.
        var (start, seen) = (0, 0)
        while base + start < end {
            if let found = LineChunk.firstIndex(of: separator, in: pending, from: max(start, seen)) {
                if found - start > longest { break }
                start = found + separator.count
                seen = start
                continue
            }
            seen = max(start, pending.count - separator.count + 1)
            if seen - start > longest { break }
            guard let block = try read() else {
                if pending.count - start <= longest { start = pending.count }
                break
            }
            pending += block
        }
        chunk.bytes = Array(pending[..<start])
        try drop(start)
        // The loop ended before the offset, so that the present document is too long.
        guard base < end, !pending.isEmpty else { return }
        chunk.endsInLongLine = true
        while true {
            if let found = LineChunk.firstIndex(of: separator, in: pending, from: 0) {
                return try drop(found + separator.count)
            }
            // The end may be the beginning of a separator.
            try drop(max(0, pending.count - separator.count + 1))
            guard let block = try read() else { return try drop(pending.count) }
            pending += block
        }
    }

    /// Drops the rest of the present line.
    private mutating func dropLine() throws {
        while true {
            if let feed = pending.firstIndex(of: Self.lineFeed) { return try drop(feed + 1) }
            try drop(pending.count)
            guard let block = try read() else { return }
            pending = block
        }
    }
}

extension LineChunk {
    /// Chunk `index` of an uncompressed file, read without the bytes before it.
    ///
    /// - Parameters:
    /// - fileSize: size of the file in bytes.
    /// - size: nominal size of a chunk in bytes, as in ``LineChunks``.
    /// - reading: key of the text.
    package init(
        _ index: Int, of file: ReadableFile, fileSize: Int, size: Int, longest: Int = LineChunk.longestLine,
        reading: TextReading = TextReading()
    ) throws {
        precondition(size > 0 && longest >= size, "a chunk is longer than any line")
        let start = index * size
        let end = min(start + size, fileSize)
        isFirst = index == 0
        self.reading = reading
        // The byte before `start` tells whether a line begins at `start`.
        var lines = try file.bytes(at: max(start - 1, 0), count: end - max(start - 1, 0))
        if index > 0 {
            guard let feed = lines.firstIndex(of: Self.lineFeed), feed + 1 < lines.count else { return }
            lines.removeFirst(feed + 1)
        }
        let last = (lines.dropLast().lastIndex(of: Self.lineFeed) ?? -1) + 1
        var offset = end
        while lines.last != Self.lineFeed, offset < fileSize, lines.count - last <= longest {
            let block = try file.bytes(at: offset, count: min(1 << 20, fileSize - offset))
            offset += block.count
            let feed = block.firstIndex(of: Self.lineFeed)
            lines += block[..<(feed.map { $0 + 1 } ?? block.count)]
        }
        let length = lines.count - last - (lines.last == Self.lineFeed ? 1 : 0)
        endsInLongLine = length > longest
        bytes = endsInLongLine ? Array(lines[..<last]) : lines
    }
}
