// LineChunks - .jsonl files in chunks of whole lines, and lines as documents, for training and `prepare`.

package import InputFiles

/// Consecutive lines of a file.
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

    /// The content of a line.
    package enum Line {
        /// Only blanks, which are neither a document nor a mistake.
        case blank
        case document(JSONDocument)
        case malformed(JSONDocument.Problem)
    }

    /// Number of lines, a line that is too long included.
    package var lineCount: Int {
        let ends = bytes.count { $0 == Self.lineFeed }
        return ends + (bytes.last.map { $0 != Self.lineFeed } ?? false ? 1 : 0) + (endsInLongLine ? 1 : 0)
    }

    /// Calls `body` with each line and its number in the chunk, from 1.
    ///
    /// - Returns: the number of lines.
    @discardableResult
    package func forEachLine(_ body: (_ number: Int, _ line: Line) throws -> Void) throws -> Int {
        var (start, number) = (0, 0)
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: Self.lineFeed) ?? bytes.count
            number += 1
            try body(number, Self.line(bytes[start..<end], isFirst: isFirst && number == 1))
            start = end + 1
        }
        if endsInLongLine {
            number += 1
            try body(number, .malformed(Self.tooLong))
        }
        return number
    }

    static let tooLong = JSONDocument.Problem("the line is longer than \(longestLine >> 20) MiB")

    private static func line(_ bytes: ArraySlice<UInt8>, isFirst: Bool) -> Line {
        // Some editors write a byte-order mark, which is no part of JSON.
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let line = isFirst && bytes.starts(with: mark) ? bytes.dropFirst(mark.count) : bytes
        if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return .blank }
        do { return .document(try JSONDocument(line: Array(line))) } catch { return .malformed(error) }
    }
}

/// A file, read from its start, in chunks of lines.
///
/// Chunk k holds the lines whose first byte has an offset in [k * size, (k + 1) * size). The cut depends on the file's
/// text only, not on its compression or its readers.
package struct LineChunks {
    private static let lineFeed = UInt8(ascii: "\n")

    private let size: Int
    private let longest: Int
    private let read: () throws -> [UInt8]?
    /// Index of the next chunk.
    package private(set) var index = 0
    /// Offset in the file of the first byte of `pending`, which starts a line.
    private var base = 0
    private var pending: [UInt8] = []

    /// - Parameters:
    /// - size: nominal size of a chunk in bytes.
    /// - longest: longest line in bytes.
    /// - read: returns the bytes of the file, and nil at its end and at every later call.
    package init(size: Int, longest: Int = LineChunk.longestLine, read: @escaping () throws -> [UInt8]?) {
        precondition(size > 0 && longest >= size, "a chunk is longer than any line")
        self.size = size
        self.longest = longest
        self.read = read
    }

    /// The next chunk, which may hold no line; nil after the last.
    package mutating func next() throws -> LineChunk? {
        let end = (index + 1) * size
        var chunk = LineChunk(isFirst: index == 0)
        if base < end && pending.isEmpty {
            if let block = try read() {
                pending = block
            } else if base <= index * size {
                return nil
            }
        }
        index += 1
        guard base < end, !pending.isEmpty else { return chunk }
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
    package init(
        _ index: Int, of file: ReadableFile, fileSize: Int, size: Int, longest: Int = LineChunk.longestLine
    ) throws {
        precondition(size > 0 && longest >= size, "a chunk is longer than any line")
        let start = index * size
        let end = min(start + size, fileSize)
        isFirst = index == 0
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
