// HostileTextTests - files and texts that ask for much memory or time, and messages that quote them.

import Testing

@testable import TokenizerJSON

@Suite struct HostileTextTests {
    @Test func aReplacementStopsAtTheLongestText() throws {
        let (pattern, text) = (TextPattern.text([0x61]), Array("aab".utf8))
        #expect(try pattern.replacing(text, with: Array("xyz".utf8), longest: 7).text == Array("xyzxyzb".utf8))
        #expect(throws: TokenizerFileError.tooLong) { try pattern.replacing(text, with: Array("xyz".utf8), longest: 6) }
        // What is behind the limit is not appended: 2^40 bytes would not fit.
        let many = [UInt8](repeating: 0x61, count: 1 << 20)
        #expect(throws: TokenizerFileError.tooLong) { try pattern.replacing(many, with: many, longest: 1 << 21) }
    }

    /// The ranges and ids of the pieces of a text; -1: no token.
    private func pieces(_ text: String, _ tokens: [AddedToken]) throws -> [Piece] {
        let bytes = Array(text.utf8)
        var list = PieceList(text: bytes, pieces: [Piece(range: 0..<bytes.count, isStart: true)])
        try AddedTokens(tokens, normalizer: nil).cutRaw(&list)
        return list.pieces
    }

    @Test func blanksOfATokenAreNoOtherToken() throws {
        let left = AddedToken(id: 0, content: [0x20], stripsLeft: true, isNormalized: false)
        var both = left
        both.stripsRight = true
        let mark = AddedToken(id: 1, content: [0x78], stripsRight: true, isNormalized: false)
        #expect(try pieces("a b", [both]).map(\.range) == [0..<1, 1..<2, 2..<3])
        #expect(try pieces("a   b", [both]).map(\.range) == [0..<1, 1..<4, 4..<5])
        #expect(try pieces("x   b", [left, mark]).map(\.token) == [1, -1])
        #expect(try pieces("x   b", [left, mark]).map(\.range) == [0..<4, 4..<5])
        // Blanks that are counted for each blank anew would take hours.
        let count = 1 << 20
        let many = try pieces("a" + String(repeating: " ", count: count) + "b", [both])
        #expect(many.map(\.range) == [0..<1, 1..<(count + 1), (count + 1)..<(count + 2)])
    }

    @Test func prefixesAreShort() {
        let prefix = String(repeating: "#", count: 33)
        let file =
            "{\"version\":\"1.0\",\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[],\"continuing_subword_prefix\":\"\(prefix)\"}}"
        let error = #expect(throws: TokenizerFileError.self) { try TokenizerPipeline(reading: Array(file.utf8)) }
        #expect(error?.problem.hasSuffix("has more than 32 bytes") == true)
    }

    @Test func messagesAreOneShortLine() {
        let key = "\\u001b[2J\\n" + String(repeating: "x", count: 1000)
        let error = #expect(throws: TokenizerFileError.self) {
            try TokenizerPipeline(reading: Array("{\"\(key)\":1}".utf8))
        }
        #expect(error?.problem.hasPrefix("the key ?[2J?xxx") == true && error?.problem.hasSuffix("x...") == true)
        #expect(error?.problem.count == 403)
    }
}
