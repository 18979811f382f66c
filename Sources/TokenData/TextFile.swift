// TextFile - a text file as documents.

internal import InputFiles
package import Tokenizers

/// A text file: path, format, and the settings by which it becomes documents.
package struct TextFile: Sendable {
    package let path: String
    /// The name in messages: the path, or `-` for standard input.
    package let name: String
    package let format: DocumentSource
    package let reading: TextReading

    /// - Parameter name: the name in messages; nil: the path.
    package init(path: String, format: DocumentSource, reading: TextReading = TextReading(), name: String? = nil) {
        self.path = path
        self.name = name ?? path
        self.format = format
        self.reading = reading
    }

    /// The bytes between documents; nil where there is no separator.
    private var separator: [UInt8]? {
        format.layout == .text ? reading.separator.map { Array($0.utf8) } : nil
    }

    /// Whether the file is one document.
    package var isOneDocument: Bool { format.layout == .text && separator == nil }

    /// Whether the text has to be read from its start.
    ///
    /// Why with a separator: only the bytes before tell where one begins that overlaps itself.
    package var isSequential: Bool {
        format.isCompressed || format.isTable || separator != nil || reading.encoding != .utf8
    }

    /// Whether bytes of a document that are no UTF-8 are mistakes for `tokenizer`. Text that was converted has broken
    /// units of UTF-16 in their place.
    private func checksUTF8(for tokenizer: any Tokenizer) -> Bool {
        !tokenizer.readsAnyBytes || reading.encoding == .utf16
    }

    /// A document as `tokenizer` gets it, and the mistakes in it: bytes that are no UTF-8, or broken units of UTF-16.
    package func checked(_ text: [UInt8], for tokenizer: any Tokenizer) -> (text: [UInt8], invalid: InvalidUTF8) {
        guard checksUTF8(for: tokenizer) else { return (text, InvalidUTF8()) }
        let invalid = InvalidUTF8(in: text)
        return (invalid.isEmpty ? text : replacingBrokenUnits(text), invalid)
    }

    /// A document with U+FFFD for each broken unit of UTF-16; the text itself in other encodings.
    ///
    /// Why: a tokenizer of bytes would take the byte that stands for the unit.
    private func replacingBrokenUnits(_ text: [UInt8]) -> [UInt8] {
        guard reading.encoding == .utf16, text.contains(TextTranscoder.broken) else { return text }
        var result: [UInt8] = []
        result.reserveCapacity(text.count + 16)
        for byte in text {
            if byte == TextTranscoder.broken {
                result += [0xEF, 0xBF, 0xBD]
            } else {
                result.append(byte)
            }
        }
        return result
    }

    /// Chunks of a stream of the file's text, of `size` bytes each.
    package func chunks(of stream: TextStream, size: Int) -> LineChunks {
        precondition(!isOneDocument, "a text has no lines")
        return LineChunks(size: size, reading: lineReading, separator: separator) { try stream.next() }
    }

    /// The settings that the lines need. Rows of a table are UTF-8.
    private var lineReading: TextReading {
        format.isTable ? TextReading(textKey: reading.textKey) : reading
    }

    /// Calls `body` with each document, or with consecutive pieces of it if `inPieces`. `isEnd` marks a document's last
    /// piece. Blank lines of .jsonl files are no documents.
    ///
    /// - Throws: ``DataError`` naming file and line; errors of `body`.
    func forEachDocument(inPieces: Bool, _ body: (_ text: [UInt8], _ isEnd: Bool) throws -> Void) throws {
        guard isOneDocument else {
            return try forEachLine { number, line in
                switch line {
                case .blank: break
                case .document(let document): try body(document.text, true)
                case .text(let text): try body(text, true)
                case .malformed(let problem): throw mistake(problem.description, line: number)
                }
            }
        }
        let stream = try TextStream(self)
        var document: [UInt8] = []
        while let block = try stream.next() {
            if inPieces { try body(block, false) } else { document += block }
        }
        try body(document, true)
    }

    /// The whole text.
    package func wholeText() throws -> [UInt8] {
        let stream = try TextStream(self)
        var text: [UInt8] = []
        while let block = try stream.next() { text += block }
        return text
    }

    /// Bytes of lines that are in memory at a time, nominally.
    private static let chunkSize = 1 << 22

    /// Calls `body` with each line of a file of lines or separated document, and its number from 1.
    ///
    /// - Throws: ``DataError`` for a file that cannot be read; errors of `body`.
    func forEachLine(_ body: (_ number: Int, _ line: LineChunk.Line) throws -> Void) throws {
        let stream = try TextStream(self)
        var chunks = self.chunks(of: stream, size: Self.chunkSize)
        var before = 0
        while let chunk = try chunks.next() {
            before += try chunk.forEachLine { number, line in try body(before + number, line) }
        }
    }

    /// Checks, by the file's first bytes, that it holds text for `tokenizer`.
    ///
    /// - Throws: ``DataError`` naming the file's real content.
    func requireText(for tokenizer: any Tokenizer) throws {
        guard let content = try foreignContent(for: tokenizer) else { return }
        throw DataError(file: path, problem: content.problem, remedy: content.remedy)
    }

    /// Whether the file's bytes, whatever they are, are text for `tokenizer`.
    private func isAnyBytes(for tokenizer: any Tokenizer) -> Bool {
        format.layout == .text && !format.isCompressed && reading.encoding == .utf8 && tokenizer.readsAnyBytes
    }

    /// The file's content if its first bytes show that it is no text for `tokenizer`. For a tokenizer of bytes every
    /// .txt file is text.
    package func foreignContent(for tokenizer: any Tokenizer) throws -> ForeignContent? {
        isAnyBytes(for: tokenizer) ? nil : try foreignContent()
    }

    /// The file's content if its first bytes show that it is no text.
    func foreignContent() throws -> ForeignContent? {
        if let content = try ForeignContent(path: path, encoding: reading.encoding) { return content }
        guard format.isNamedJSON, case .regular(1...) = FileKind.at(path) else { return nil }
        let stream = try TextStream(self)
        guard let start = try stream.next() else { return nil }
        return ForeignContent(json: start, path: path, tool: format.compression?.tool)
    }

    /// A warning for a file that seems to be no text and is read byte by byte; nil for possible text.
    package func remark(for tokenizer: any Tokenizer) throws -> String? {
        guard isAnyBytes(for: tokenizer), let content = try ForeignContent(path: path) else { return nil }
        return "\(path): \(content.problem); it is read byte by byte as it is (otherwise \(content.remedy))"
    }

    /// The error for a line that is no document.
    func mistake(_ problem: String, line: Int) -> DataError {
        DataError(file: name, line: line, problem: problem, remedy: lineRemedy)
    }

    /// The remedy for a line, or a document between separators, that is none.
    package var lineRemedy: String {
        format.layout == .text
            ? "see whether the separator stands between its documents, and cut longer ones" : reading.lineRemedy
    }
}

/// The text of a file from its start to its end as UTF-8, decompressed where the file is compressed.
package final class TextStream {
    private enum Source {
        case plain(ReadableFile)
        case compressed(any CompressedText)
    }

    private let source: Source
    private var transcoder: TextTranscoder

    /// Opens a regular, non-empty file.
    package init(_ file: TextFile) throws {
        _ = try requireTextFile(file.path)
        source =
            if file.format.isTable {
                .compressed(try ParquetText(path: file.path, textKey: file.reading.textKey))
            } else if let compression = file.format.compression {
                .compressed(try compression.open(file.path))
            } else {
                .plain(try ReadableFile(path: file.path))
            }
        // Rows of a table are UTF-8.
        transcoder = TextTranscoder(file.format.isTable ? .utf8 : file.reading.encoding)
    }

    /// The next bytes; nil at the end, and at every later call.
    package func next() throws -> [UInt8]? {
        while let block = try block() {
            // A block may end within its first character.
            let text = transcoder.convert(block)
            if !text.isEmpty { return text }
        }
        let rest = transcoder.finish()
        return rest.isEmpty ? nil : rest
    }

    private func block() throws -> [UInt8]? {
        switch source {
        case .plain(let file):
            let block = try file.next()
            plainOffset += block?.count ?? 0
            return block
        case .compressed(let text): return try text.next()
        }
    }

    /// Bytes of an uncompressed file read so far.
    private var plainOffset = 0

    /// Number of bytes of the file on the disk consumed so far.
    package var offset: Int {
        if case .compressed(let text) = source { text.offset } else { plainOffset }
    }
}
