// ByteCountTests - number of bytes of text behind tokens, for every tokenizer.

import DataFixtures
import Testing

@testable import TokenData
@testable import Tokenizers

/// A tokenizer of words with the blank before them: ids 0 to 2, and 3 as end token. As in SentencePiece, the first word
/// of a text loses its blank.
private struct WordTokenizer: Tokenizers.Tokenizer {
    private static let words = [" the", " sea", "s"]
    let name = "words"
    let size = 4
    let endToken: Int32 = 3
    let modelBytes: [UInt8] = []

    func encode(_ text: [UInt8]) throws -> [Int32] { preconditionFailure("not needed") }

    func decode(_ tokens: [Int32]) -> [UInt8] {
        let text = tokens.filter { $0 != endToken }.map { Self.words[Int($0)] }.joined()
        return Array((text.hasPrefix(" ") ? String(text.dropFirst()) : text).utf8)
    }
}

@Suite struct ByteCountTests {
    @Test func everyByteIsOneAndEndTokensAreNone() {
        let tokenizer = ByteTokenizer()
        for previous in [65, 256] as [Int32] {
            #expect(tokenizer.byteCount(of: [72, 105, 256, 0, 255, 256, 256], after: previous) == 4)
            #expect(tokenizer.byteCount(of: [], after: previous) == 0)
        }
    }

    @Test(
        arguments: [
            // The blank counts within a document, and not at its start.
            ([0, 1, 2], 0, 4 + 4 + 1), ([0, 1, 2], 3, 3 + 4 + 1), ([1, 3, 1, 3], 0, 4 + 3), ([3, 3, 0], 0, 3),
            ([2, 2], 1, 2), ([3], 1, 0),
        ] as [([Int32], Int32, Int)])
    func documentsAreDecodedOneByOne(tokens: [Int32], previous: Int32, count: Int) {
        #expect(WordTokenizer().byteCount(of: tokens, after: previous) == count)
    }

    /// For any cut of a text into sequences, the bytes of all targets are those of the text after its first token.
    @Test func sequencesAddUpToTheText() {
        let tokenizer = WordTokenizer()
        let documents: [[Int32]] = [[0, 1, 2, 0, 1], [1], [2, 2, 0, 0, 1, 2]]
        let text = documents.flatMap { $0 + [tokenizer.endToken] }
        let length = documents.reduce(0) { $0 + tokenizer.decode($1).count } - tokenizer.decode([0]).count
        for size in 1...14 {
            let counts = stride(from: 0, to: text.count - 1, by: size).map { start in
                tokenizer.byteCount(of: Array(text[(start + 1)...].prefix(size)), after: text[start])
            }
            #expect(counts.reduce(0, +) == length, "sequences of \(size)")
        }
    }
}

@Suite struct PieceTests {
    /// Every token is in exactly one piece, also a token that is no target of any sequence.
    @Test(arguments: [7, 65_536, 65_537, 140_000])
    func piecesOfTokensAreAllTokens(count: Int) throws {
        var store = TokenStore(vocabularySize: 70_000)
        let ids = (0..<count).map { Int32(truncatingIfNeeded: $0 * 7919 % 70_000) }
        store.append(ids)
        let source = try TokenSource(store, sequenceLength: 5, file: "memory")
        #expect(try (0..<source.pieceCount).flatMap { try source.piece($0) } == ids)
        #expect(source.sequenceCount * 5 + 1 <= count)
    }

    @Test func piecesOfSequencesAreTheSequences() throws {
        let source = NumberedSource(sequenceCount: 3, length: 2)
        #expect(try (0..<source.pieceCount).map { try source.piece($0) } == [[0, 0, 0], [1, 1, 1], [2, 2, 2]])
        #expect(NumberedSource(sequenceCount: .max).pieceCount == 1024)
    }
}
