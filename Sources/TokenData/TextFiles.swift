// TextFiles - .txt, .jsonl and .jsonl.zst files as documents.

internal import Foundation
internal import Zstandard

/// A file of text.
struct TextFile {
    enum Format: CaseIterable {
        /// One document.
        case text
        /// One document per line: the string `text` of a JSON object.
        case jsonLines
        /// The same, compressed.
        case compressedJSONLines

        /// How the name of such a file ends.
        var suffix: String {
            switch self {
            case .text: ".txt"
            case .jsonLines: ".jsonl"
            case .compressedJSONLines: ".jsonl.zst"
            }
        }

        /// The format that a path's ending names.
        init?(path: String) {
            guard let format = Self.allCases.first(where: { path.hasSuffix($0.suffix) }) else { return nil }
            self = format
        }
    }

    let path: String
    let format: Format

    /// Calls `body` with each document, or with consecutive pieces of it if `inPieces`, and whether the document ends
    /// there. Blank lines of .jsonl files are no documents.
    ///
    /// - Throws: ``DataError`` naming file and line; what `body` throws.
    func forEachDocument(inPieces: Bool, _ body: (_ text: [UInt8], _ isEnd: Bool) throws -> Void) throws {
        switch format {
        case .text:
            let file = try ReadableFile(path: path)
            var document: [UInt8] = []
            while let chunk = try file.next() {
                if inPieces { try body(chunk, false) } else { document += chunk }
            }
            try body(document, true)
        case .jsonLines:
            let file = try ReadableFile(path: path)
            try forEachLine(of: { try file.next() }) { try body(try document(line: $0, number: $1), true) }
        case .compressedJSONLines:
            _ = try requireFile(path)
            do {
                let reader = try ZstandardReader(path: path, chunkSize: 1 << 20)
                try forEachLine(of: { try reader.next() }) { try body(try document(line: $0, number: $1), true) }
            } catch let error as ZstandardError {
                throw DataError(file: path, problem: error.problem, remedy: error.remedy)
            }
        }
    }

    /// Cuts chunks into lines, without their ends, numbered from 1; leaves out blank ones.
    private func forEachLine(
        of next: () throws -> [UInt8]?, _ body: (_ line: [UInt8], _ number: Int) throws -> Void
    ) throws {
        let lineFeed = UInt8(ascii: "\n")
        let blanks: [UInt8] = [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r")]
        var number = 0
        var line: [UInt8] = []
        func finishLine() throws {
            number += 1
            // Some editors write a byte-order mark, which is no part of JSON.
            if number == 1 && line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
            if !line.allSatisfy({ blanks.contains($0) }) { try body(line, number) }
            line.removeAll(keepingCapacity: true)
        }
        while let chunk = try next() {
            var rest = chunk[...]
            while let end = rest.firstIndex(of: lineFeed) {
                line += rest[..<end]
                rest = rest[(end + 1)...]
                try finishLine()
            }
            line += rest
        }
        if !line.isEmpty { try finishLine() }
    }

    private struct Line: Decodable {
        let text: String
    }

    /// The text of one line of JSON.
    private func document(line: [UInt8], number: Int) throws -> [UInt8] {
        let remedy = "each line must be a JSON object with a string \"text\""
        func failure(_ problem: String) -> DataError {
            DataError(file: path, line: number, problem: problem, remedy: remedy)
        }
        // Checked here, because the decoder guesses another encoding from zero bytes.
        guard String(validating: line, as: UTF8.self) != nil else { throw failure("the line is not valid UTF-8") }
        guard !line.contains(0) else { throw failure("the line is not valid JSON: it holds a zero byte") }
        do {
            return Array(try JSONDecoder().decode(Line.self, from: Data(line)).text.utf8)
        } catch DecodingError.keyNotFound {
            throw failure("the object has no \"text\"")
        } catch DecodingError.typeMismatch(_, let context) {
            throw failure(context.codingPath.isEmpty ? "the line is no JSON object" : "\"text\" is not a string")
        } catch DecodingError.valueNotFound(_, let context) {
            throw failure(context.codingPath.isEmpty ? "the line is no JSON object" : "\"text\" is null")
        } catch {
            throw failure("the line is not valid JSON")
        }
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
