// SentenceSample - lines of text files for a tokenizer to learn from.

internal import SentencePieceText

/// Lines of documents: all of them, or an even choice from more than fit.
public struct SentenceSample: Sendable {
    /// What was chosen.
    public private(set) var sentences: [[UInt8]] = []
    /// Lines that could be learned from, chosen or not.
    public private(set) var lineCount = 0
    /// Bytes of text that were read.
    public private(set) var byteCount = 0
    /// Lines that nothing is learned from, because they are no UTF-8 or hold a character that SentencePiece uses itself.
    public private(set) var unusableCount = 0

    private let limit: Int
    private var random: SplitMix64

    /// - Parameters:
    ///   - limit: lines that are chosen at most; 0: all.
    ///   - seed: of the choice.
    public init(limit: Int, seed: UInt64) {
        precondition(limit >= 0, "a sample of \(limit) lines")
        self.limit = limit
        random = SplitMix64(seed: seed)
    }

    /// Adds the documents of a `.txt`, `.jsonl` or `.jsonl.zst` file.
    ///
    /// - Parameter progress: called after each document.
    /// - Throws: ``DataError`` naming file and line.
    public mutating func add(path: String, progress: (SentenceSample) -> Void = { _ in }) throws {
        guard let format = TextFile.Format(path: path) else {
            throw DataError(
                file: path, problem: "the file's ending is not known", remedy: "allowed: .txt, .jsonl and .jsonl.zst")
        }
        // A .txt file is read in pieces, whose borders need not be those of lines.
        var rest: [UInt8] = []
        try TextFile(path: path, format: format).forEachDocument(inPieces: true) { text, isEnd in
            byteCount += text.count
            rest += text
            if isEnd || rest.count >= Self.pieceSize {
                let end = isEnd ? rest.count : (rest.lastIndex(of: Self.lineFeed) ?? rest.count)
                add(document: Array(rest[..<end]))
                rest.removeFirst(end)
            }
            progress(self)
        }
    }

    private static let lineFeed = UInt8(ascii: "\n")
    /// Longer than lines are.
    private static let pieceSize = 1 << 22

    /// Adds the lines of a text.
    mutating func add(document: [UInt8]) {
        for line in document.split(whereSeparator: { $0 == Self.lineFeed || $0 == UInt8(ascii: "\r") }) {
            for part in Self.parts(of: line) { add(sentence: part) }
        }
    }

    private mutating func add(sentence: [UInt8]) {
        guard SentencePieceTraining.accepts(sentence) else {
            // Blank lines are nothing that somebody could miss.
            if !sentence.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }) { unusableCount += 1 }
            return
        }
        lineCount += 1
        if limit == 0 || sentences.count < limit {
            sentences.append(sentence)
        } else {
            // Algorithm R (Vitter 1985): each of the lines so far stays with the same probability.
            let place = random.next(below: lineCount)
            if place < limit { sentences[place] = sentence }
        }
    }

    /// A line in parts that are not too long, cut before blanks where there are any: no piece goes across those.
    static func parts(of line: ArraySlice<UInt8>, limit: Int = SentencePieceTraining.longestSentence) -> [[UInt8]] {
        var parts: [[UInt8]] = []
        var rest = line
        while rest.count > limit {
            let window = rest.prefix(limit + 1)
            let blank = window.dropFirst().lastIndex(of: UInt8(ascii: " "))
            // A continuation byte of UTF-8 is no place to cut.
            let cut = blank ?? window.dropFirst().lastIndex { $0 & 0xC0 != 0x80 } ?? rest.startIndex + limit
            parts.append(Array(rest[..<cut]))
            rest = rest[cut...]
        }
        return parts + [Array(rest)]
    }
}
