// TextFile - a text file as documents.

internal import InputFiles
package import Tokenizers

/// A text file: path and format.
package struct TextFile: Sendable {
    package let path: String
    package let format: DocumentSource

    package init(path: String, format: DocumentSource) {
        self.path = path
        self.format = format
    }

    /// Calls `body` with each document, or with consecutive pieces of it if `inPieces`. `isEnd` marks a document's last
    /// piece. Blank lines of .jsonl files are no documents.
    ///
    /// - Throws: ``DataError`` naming file and line; errors of `body`.
    func forEachDocument(inPieces: Bool, _ body: (_ text: [UInt8], _ isEnd: Bool) throws -> Void) throws {
        guard format.layout == .text else {
            return try forEachLine { number, line in
                switch line {
                case .blank: break
                case .document(let document): try body(document.text, true)
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

    /// Calls `body` with each line of a file of lines, and its number from 1.
    ///
    /// - Throws: ``DataError`` for a file that cannot be read; errors of `body`.
    func forEachLine(_ body: (_ number: Int, _ line: LineChunk.Line) throws -> Void) throws {
        precondition(format.layout == .lines, "a text has no lines")
        let stream = try TextStream(self)
        var chunks = LineChunks(size: Self.chunkSize) { try stream.next() }
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
        format.layout == .text && !format.isCompressed && tokenizer.readsAnyBytes
    }

    /// The file's content if its first bytes show that it is no text for `tokenizer`. For a tokenizer of bytes every
    /// .txt file is text.
    package func foreignContent(for tokenizer: any Tokenizer) throws -> ForeignContent? {
        isAnyBytes(for: tokenizer) ? nil : try ForeignContent(path: path)
    }

    /// A warning for a file that seems to be no text and is read byte by byte; nil for possible text.
    package func remark(for tokenizer: any Tokenizer) throws -> String? {
        guard isAnyBytes(for: tokenizer), let content = try ForeignContent(path: path) else { return nil }
        return "\(path): \(content.problem); it is read byte by byte as it is (otherwise \(content.remedy))"
    }

    /// The error for a line that is no document.
    func mistake(_ problem: String, line: Int) -> DataError {
        DataError(file: path, line: line, problem: problem, remedy: Self.lineRemedy)
    }

    /// The remedy for a line that is no document.
    package static let lineRemedy = "each line must be a JSON object with a string \"text\""
}

/// The bytes of a text from its start to its end, decompressed where the file is compressed.
package final class TextStream {
    private enum Source {
        case plain(ReadableFile)
        case compressed(any CompressedText)
    }

    private let source: Source

    /// Opens a regular, non-empty file.
    package init(_ file: TextFile) throws {
        _ = try requireTextFile(file.path)
        source =
            if let compression = file.format.compression {
                .compressed(try compression.open(file.path))
            } else {
                .plain(try ReadableFile(path: file.path))
            }
    }

    /// The next bytes; nil at the end, and at every later call.
    package func next() throws -> [UInt8]? {
        switch source {
        case .plain(let file): try file.next()
        case .compressed(let text): try text.next()
        }
    }

    /// Number of compressed bytes consumed so far; nil for an uncompressed file.
    package var compressedOffset: Int? {
        if case .compressed(let text) = source { text.offset } else { nil }
    }
}
