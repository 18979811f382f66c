// LineConversion - converts lines of text to lines of ids or pieces, and ids to text.

internal import Reporting
internal import TokenData
internal import Tokenizers
internal import InputFiles

/// Converts files line by line to standard output.
struct LineConversion {
    enum Direction {
        /// Text to ids.
        case encode
        /// Text to pieces.
        case encodeAsPieces
        /// Ids to text.
        case decode
    }

    private let direction: Direction
    private let tokenizer: any Tokenizers.Tokenizer

    init(_ direction: Direction, _ tokenizer: any Tokenizers.Tokenizer) {
        self.direction = direction
        self.tokenizer = tokenizer
    }

    /// Converts all lines.
    ///
    /// - Parameter files: paths; empty: standard input.
    func run(files: [String], _ console: Console) throws {
        var output = StandardOutput()
        var invalid = InvalidLines()
        let inputs = files.isEmpty ? [LineInput.standard()] : try files.map { try LineInput(path: $0) }
        if direction != .decode, !tokenizer.readsAnyBytes {
            for file in files {
                guard let content = try ForeignContent(path: file) else { continue }
                console.warning("\(file): \(content.problem); it is read as it is (otherwise \(content.remedy))")
            }
        }
        do {
            do {
                for input in inputs {
                    try input.forEachLine { line, number in
                        let place = "\(input.name):\(number)"
                        if direction != .decode, !tokenizer.readsAnyBytes { invalid.look(at: line, place: place) }
                        try output.append(try convert(line, place: place) + [UInt8(ascii: "\n")])
                    } atPause: {
                        try output.flush()
                    }
                }
            } catch let mistake where !(mistake is StandardOutput.ReaderHasGone) {
                // The lines before the error are written, if somebody still reads them.
                do { try output.flush() } catch is StandardOutput.ReaderHasGone {}
                throw mistake
            }
            try output.flush()
        } catch is StandardOutput.ReaderHasGone {
            // The reader ended, as `head` does: the rest is not needed, and this is no error.
        }
        if let words = invalid.words { console.warning(words) }
    }

    /// Converts one line.
    private func convert(_ line: [UInt8], place: String) throws -> [UInt8] {
        do {
            switch direction {
            case .encode: return Array(try tokenizer.encode(line).map { String($0) }.joined(separator: " ").utf8)
            case .encodeAsPieces: return try pieces(line)
            case .decode: return tokenizer.decode(try ids(line, place: place))
            }
        } catch var error as DataError where error.file == nil {
            error.file = place
            throw error
        }
    }

    /// Count of bytes and lines that are not UTF-8 and are read as U+FFFD.
    private struct InvalidLines {
        private var bytes = 0
        private var lines = 0
        private var first = ""

        mutating func look(at line: [UInt8], place: String) {
            let found = InvalidUTF8(in: line)
            guard !found.isEmpty else { return }
            if lines == 0 { first = place }
            bytes += found.count
            lines += 1
        }

        /// The warning; nil without such lines.
        var words: String? {
            guard lines > 0 else { return nil }
            return "\(bytes) bytes in \(lines) lines are no UTF-8 and were read as U+FFFD, the first in \(first)"
        }
    }

    private func pieces(_ line: [UInt8]) throws -> [UInt8] {
        if let tokenizer = tokenizer as? JSONTokenizer {
            return Array(try tokenizer.pieces(line).joined(separator: [UInt8(ascii: " ")]))
        }
        guard let tokenizer = tokenizer as? SentencePieceTokenizer else {
            throw ProgramFailure(
                .badInput, "--format piece: the tokenizer \(tokenizer.name) has no pieces; allowed: id")
        }
        return Array(try tokenizer.pieces(line).joined(separator: [UInt8(ascii: " ")]))
    }

    /// The ids of a line of decimal numbers.
    private func ids(_ line: [UInt8], place: String) throws -> [Int32] {
        try String(decoding: line, as: UTF8.self).split(whereSeparator: \.isWhitespace).map { word in
            guard let id = Int32(word), id >= 0, Int(id) < tokenizer.size else {
                // A file of another kind may have long words with any characters, so the message is cut and escaped.
                let shown = String(word.prefix(40)).debugDescription
                throw ProgramFailure(
                    .badInput,
                    "\(place): \(shown) is no id of \(tokenizer.name); allowed: 0 to \(tokenizer.size - 1)")
            }
            return id
        }
    }
}
