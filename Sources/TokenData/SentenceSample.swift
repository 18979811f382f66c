// SentenceSample - lines of text files from which a tokenizer learns.

internal import Primitives
internal import SentencePieceText
internal import InputFiles

/// A sample of the lines of documents: all lines, or `limit` lines chosen with equal probability.
public struct SentenceSample: Sendable {
    /// The chosen lines.
    public private(set) var sentences: [[UInt8]] = []
    /// Number of usable lines, chosen or not.
    public private(set) var lineCount = 0
    /// Number of bytes of text that were read.
    public private(set) var byteCount = 0
    /// Malformed lines and files, and lines with a character that SentencePiece uses itself.
    public private(set) var skipped = SkippedCounts()

    private let limit: Int
    private let skipsMalformed: Bool
    /// Encoding of the present file.
    private var encoding = TextEncoding.utf8
    private var random: SplitMix64

    /// - Parameters:
    /// - limit: maximum number of chosen lines; 0 means all.
    /// - seed: seed of the choice.
    /// - skipsMalformed: whether mistakes are counted and left out. If not, the first one is an error.
    public init(limit: Int, seed: UInt64, skipsMalformed: Bool = true) {
        precondition(limit >= 0, "a sample of \(limit) lines")
        self.limit = limit
        self.skipsMalformed = skipsMalformed
        random = SplitMix64(seed: seed)
    }

    /// Adds the documents of a text file, see ``DocumentSource``.
    ///
    /// - Parameters:
    ///   - reading: key of the text, separator, encoding.
    ///   - name: the file's name in messages; nil: its path.
    ///   - progress: called repeatedly.
    /// - Throws: ``DataError`` naming file and line, for unreadable files, and for mistakes unless they are skipped.
    public mutating func add(
        path: String, reading: TextReading = TextReading(), name: String? = nil,
        progress: (SentenceSample) -> Void = { _ in }
    ) throws {
        guard let format = DocumentSource(path: path) else {
            throw try wrongEnding(path, allowed: "allowed: \(DocumentSource.suffixes(joinedBy: "and"))") { _ in
                "give the text that it was prepared from"
            }
        }
        if case .regular(0) = FileKind.at(path) {
            return try reject("the file is empty", "give a file that holds text", name ?? path)
        }
        let file = TextFile(path: path, format: format, reading: reading, name: name)
        encoding = reading.encoding
        // A line in another encoding counts as a mistake with any tokenizer. A line of an archive has no words.
        if let content = try file.foreignContent() {
            // Compressed text that cannot be decompressed is an error, wherever the damage is found.
            guard !format.isCompressed, !format.isTable else {
                throw DataError(file: file.name, problem: content.problem, remedy: content.remedy)
            }
            return try reject(content.problem, content.remedy, file.name)
        }
        if file.isOneDocument { return try add(text: file, progress) }
        try file.forEachLine { number, line in
            switch line {
            case .blank: break
            case .document(let document):
                byteCount += document.text.count
                try add(document: document.text, path: file.name, line: number)
            case .text(let text):
                byteCount += text.count
                try add(document: text, path: file.name, line: number)
            case .malformed(let problem):
                try reject(
                    problem.description, file.lineRemedy, file.name, line: number, reason: problem.words)
            }
            progress(self)
        }
    }

    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")
    /// Bytes of text processed at a time, more than most lines have.
    private static let pieceSize = 1 << 22

    /// Adds a .txt file in pieces, which may end within lines.
    private mutating func add(text file: TextFile, _ progress: (SentenceSample) -> Void) throws {
        var rest: [UInt8] = []
        var (before, column) = (0, 1)
        try file.forEachDocument(inPieces: true) { text, isEnd in
            byteCount += text.count
            rest += text
            if isEnd || rest.count >= Self.pieceSize {
                let end = isEnd ? rest.count : Self.cut(rest)
                let piece = Array(rest[..<end])
                try add(document: piece, path: file.name, line: before + 1, column: column, countsLines: true)
                before += piece.count { $0 == Self.lineFeed }
                column = piece.last.map(Self.endsLine) == true ? 1 : column + Self.characterCount(piece[...])
                rest.removeFirst(end)
            }
            progress(self)
        }
    }

    /// Index where a text is cut in two: after its last line end, else before its last blank, else before its last
    /// character.
    ///
    /// Why: a cut character would count as a mistake of the text.
    static func cut(_ text: [UInt8]) -> Int {
        if let end = text.lastIndex(where: endsLine) { return end + 1 }
        // A cut at index 0 would not shorten the text.
        let inner = text.dropFirst()
        return inner.lastIndex(of: UInt8(ascii: " ")) ?? inner.suffix(4).lastIndex(where: startsCharacter) ?? text.count
    }

    private static func endsLine(_ byte: UInt8) -> Bool { byte == lineFeed || byte == carriageReturn }

    /// Whether a byte is no continuation byte of UTF-8.
    private static func startsCharacter(_ byte: UInt8) -> Bool { byte & 0xC0 != 0x80 }

    private static func characterCount(_ text: ArraySlice<UInt8>) -> Int { text.count(where: startsCharacter) }

    /// Adds the lines of a text.
    ///
    /// - Parameters:
    /// - line: line of the file where the text starts.
    /// - column: column in that line where the text starts.
    /// - countsLines: whether lines of the text are lines of the file.
    mutating func add(
        document: [UInt8], path: String = "", line firstLine: Int = 1, column firstColumn: Int = 1,
        countsLines: Bool = false
    ) throws {
        // Line feeds are counted up to the last mistake only: all lines may have one.
        var counted = (lines: firstLine, end: document.startIndex)
        for line in document.split(whereSeparator: Self.endsLine) {
            var end = line.startIndex
            var location = (column: line.startIndex == document.startIndex ? firstColumn : 1, index: line.startIndex)
            for part in Self.parts(of: line) {
                let start = end
                end += part.count
                if add(sentence: part) { continue }
                // Blank lines are left out without a count.
                if part.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }) { continue }
                if countsLines {
                    counted.lines += document[counted.end..<line.startIndex].count { $0 == Self.lineFeed }
                    counted.end = line.startIndex
                }
                let invalid = InvalidUTF8(in: part)
                if invalid.isEmpty {
                    skipped.add(SkippedCounts.Example(file: path, line: counted.lines, problem: Self.unusable))
                } else {
                    let first = start + invalid.offset
                    location.column += Self.characterCount(line[location.index..<first])
                    location.index = first
                    let problem: JSONDocument.Problem =
                        encoding == .utf16
                        ? .invalidUTF16(column: location.column) : .invalidUTF8(line[first], column: location.column)
                    try reject(
                        problem.description, InvalidUTF8.remedy(path, encoding), path, line: counted.lines,
                        reason: problem.words)
                }
            }
        }
    }

    private static let unusable = "the line has only blanks, or U+2585, which SentencePiece uses itself"

    /// Counts a mistake, or throws it.
    ///
    /// - Parameter reason: the problem without its location, by which mistakes are counted; nil: `problem`.
    private mutating func reject(
        _ problem: String, _ remedy: String, _ path: String, line: Int? = nil, reason: String? = nil
    ) throws {
        guard skipsMalformed else {
            let skipping = "; or use --on-error skip, which leaves it out"
            throw DataError(file: path, line: line, problem: problem, remedy: remedy + skipping)
        }
        let words = line == nil ? "\(problem); \(remedy)" : problem
        skipped.add(SkippedCounts.Example(file: path, line: line, problem: words), reason: reason ?? problem)
    }

    /// - Returns: whether SentencePiece learns from the sentence.
    private mutating func add(sentence: [UInt8]) -> Bool {
        guard SentencePieceTraining.accepts(sentence) else { return false }
        lineCount += 1
        if limit == 0 || sentences.count < limit {
            sentences.append(sentence)
        } else {
            // Algorithm R (Vitter 1985): each line so far is kept with equal probability.
            let slot = random.next(below: lineCount)
            if slot < limit { sentences[slot] = sentence }
        }
        return true
    }

    /// The parts of a line, each of at most `limit` bytes, cut before blanks if there are any. No piece crosses such a
    /// blank.
    static func parts(of line: ArraySlice<UInt8>, limit: Int = SentencePieceTraining.longestSentence) -> [[UInt8]] {
        var parts: [[UInt8]] = []
        var rest = line
        while rest.count > limit {
            let window = rest.prefix(limit + 1)
            let blank = window.dropFirst().lastIndex(of: UInt8(ascii: " "))
            // No cut before a continuation byte of UTF-8.
            let cut = blank ?? window.dropFirst().lastIndex(where: startsCharacter) ?? rest.startIndex + limit
            parts.append(Array(rest[..<cut]))
            rest = rest[cut...]
        }
        return parts + [Array(rest)]
    }
}
