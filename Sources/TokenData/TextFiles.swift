// TextFiles - .txt, .jsonl and .jsonl.zst files as documents.

internal import Zstandard
internal import InputFiles
package import Tokenizers

/// A file of text.
package struct TextFile: Sendable {
    package enum Format: CaseIterable, Sendable {
        /// One document.
        case text
        /// One document per line: the string `text` of a JSON object.
        case jsonLines
        /// The same, compressed.
        case compressedJSONLines

        /// How the name of such a file ends.
        package var suffix: String {
            switch self {
            case .text: ".txt"
            case .jsonLines: ".jsonl"
            case .compressedJSONLines: ".jsonl.zst"
            }
        }

        /// The format that a path's ending names.
        package init?(path: String) {
            guard let format = Self.allCases.first(where: { path.hasSuffix($0.suffix) }) else { return nil }
            self = format
        }
    }

    package let path: String
    package let format: Format

    package init(path: String, format: Format) {
        self.path = path
        self.format = format
    }

    /// Calls `body` with each document, or with consecutive pieces of it if `inPieces`, and whether the document ends
    /// there. Blank lines of .jsonl files are no documents.
    ///
    /// - Throws: ``DataError`` naming file and line; what `body` throws.
    func forEachDocument(inPieces: Bool, _ body: (_ text: [UInt8], _ isEnd: Bool) throws -> Void) throws {
        guard format == .text else {
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

    /// Bytes of lines that are in memory at a time.
    private static let chunkSize = 1 << 22

    /// Calls `body` with each line of a .jsonl file and its number, counted from 1.
    ///
    /// - Throws: ``DataError`` for a file that cannot be read; what `body` throws.
    func forEachLine(_ body: (_ number: Int, _ line: LineChunk.Line) throws -> Void) throws {
        precondition(format != .text, "a text has no lines")
        let stream = try TextStream(self)
        var chunks = LineChunks(size: Self.chunkSize) { try stream.next() }
        var before = 0
        while let chunk = try chunks.next() {
            before += try chunk.forEachLine { number, line in try body(before + number, line) }
        }
    }

    /// Checks that the file holds text for `tokenizer`, as far as its first bytes tell.
    ///
    /// - Throws: ``DataError`` saying what it holds instead.
    func requireText(for tokenizer: any Tokenizer) throws {
        guard let content = try foreignContent(for: tokenizer) else { return }
        throw DataError(file: path, problem: content.problem, remedy: content.remedy)
    }

    /// What the file holds in place of text, as far as its first bytes tell. For a tokenizer of bytes every .txt file is a
    /// text.
    package func foreignContent(for tokenizer: any Tokenizer) throws -> ForeignContent? {
        format == .text && tokenizer.readsAnyBytes ? nil : try ForeignContent(path: path)
    }

    /// What somebody should know who has a tokenizer of bytes read the file; nil for what may be text.
    package func remark(for tokenizer: any Tokenizer) throws -> String? {
        guard format == .text, tokenizer.readsAnyBytes, let content = try ForeignContent(path: path) else { return nil }
        return "\(path): \(content.problem); it is read byte by byte as it is (otherwise \(content.remedy))"
    }

    /// The error about a line that is no document.
    func mistake(_ problem: String, line: Int) -> DataError {
        DataError(file: path, line: line, problem: problem, remedy: Self.lineRemedy)
    }

    /// What a line must be.
    package static let lineRemedy = "each line must be a JSON object with a string \"text\""
}

/// The bytes of a text file from its start to its end, decompressed where it is compressed.
package final class TextStream {
    private enum Source {
        case plain(ReadableFile)
        case compressed(ZstandardReader)
    }

    private let path: String
    private let source: Source

    /// Opens a regular, non-empty file.
    package init(_ file: TextFile) throws {
        path = file.path
        _ = try requireTextFile(file.path)
        if file.format == .compressedJSONLines {
            do throws(ZstandardError) {
                source = .compressed(try ZstandardReader(path: file.path, chunkSize: 1 << 20))
            } catch {
                throw DataError(file: file.path, problem: error.problem, remedy: error.remedy)
            }
        } else {
            source = .plain(try ReadableFile(path: file.path))
        }
    }

    /// The next bytes; nil at the end, also when it is asked again.
    package func next() throws -> [UInt8]? {
        switch source {
        case .plain(let file): return try file.next()
        case .compressed(let reader):
            do throws(ZstandardError) { return try reader.next() } catch {
                throw DataError(file: path, problem: error.problem, remedy: error.remedy)
            }
        }
    }

    /// Bytes of a compressed file that were consumed so far; nil for another.
    package var compressedOffset: Int? {
        if case .compressed(let reader) = source { reader.offset } else { nil }
    }
}

extension ZstandardError {
    /// The error in two halves, without the path, as ``DataError`` words it.
    fileprivate var problem: String {
        switch reason {
        case .truncated: "truncated: the compressed file ends at byte \(offset) \(detail)"
        case .corrupt: "not valid zstd data at byte \(offset): \(detail)"
        case .windowTooLarge: "the frame at byte \(offset) needs a window of more than 128 MiB: \(detail)"
        case .unreadable: "cannot be read: \(detail)"
        case .library: "decompression failed at byte \(offset): \(detail)"
        }
    }

    fileprivate var remedy: String {
        switch reason {
        case .truncated, .corrupt: "copy or download the file again"
        case .windowTooLarge: "compress it again without --long or --ultra"
        case .unreadable: "check its permissions"
        case .library: "free memory on this node"
        }
    }
}
