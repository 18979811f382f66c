// TaskEncoderTests - the cut of a text into context and continuation, also where it exceeds the model's sequence
// length.

import Testing
import TokenData
import Tokenizers
import InputFiles
import Reporting

@testable import Evaluation

struct TaskEncoderTests {
    /// A tokenizer of bytes in which a blank and the next letter are one id, 1000 + letter. Its ids show the cut.
    private struct PairTokenizer: Tokenizers.Tokenizer {
        let name = "pairs"
        let size = 1256
        let endToken: Int32 = 999
        let modelBytes: [UInt8] = []
        var leadingTokens: [Int32] = []

        func encode(_ text: [UInt8]) throws -> [Int32] {
            var ids: [Int32] = []
            var rest = text[...]
            while let byte = rest.popFirst() {
                if byte == UInt8(ascii: " "), let letter = rest.first, letter != byte {
                    rest.removeFirst()
                    ids.append(1000 + Int32(letter))
                } else {
                    ids.append(Int32(byte))
                }
            }
            return ids
        }

        func decode(_ tokens: [Int32]) -> [UInt8] {
            tokens.flatMap { $0 >= 1000 ? [UInt8(ascii: " "), UInt8($0 - 1000)] : $0 < 256 ? [UInt8($0)] : [] }
        }
    }

    private func encode(
        _ context: String, _ continuation: String, leading: [Int32] = []
    ) throws -> [[Int32]] {
        let encoder = TaskEncoder(tokenizer: PairTokenizer(leadingTokens: leading), maximumLength: 100)
        let pair = try encoder.encode(context: context, continuation: continuation)
        return [pair.context, pair.continuation]
    }

    private func ids(_ text: String) -> [Int32] { text.utf8.map { Int32($0) } }

    private static let c = 1000 + Int32(UInt8(ascii: "c"))

    @Test func theContinuationIsWhatTheWholeTextHasMore() throws {
        #expect(try encode("ab", " cd") == [ids("ab"), [Self.c] + ids("d")])
        // The blank moves: the continuation begins with the pair's id, as if the blank had been there.
        #expect(try encode("ab ", "cd") == encode("ab", " cd"))
        #expect(try encode("a c", "d") == [ids("a") + [Self.c], ids("d")])
    }

    @Test func allBlanksOfPythonMoveToTheContinuation() throws {
        #expect(try encode("ab \n", "c") == [ids("ab"), [1000 + 10] + ids("c")])
        let blanks =
            "\t\n\u{B}\u{C}\r\u{1C}\u{1D}\u{1E}\u{1F}\u{85}\u{A0}\u{1680}\u{2000}\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}"
        #expect(try encode("ab" + blanks, "c") == [ids("ab"), ids(blanks + "c")])
        // These characters are no blanks, here and in Python.
        for other in ["\u{200B}", "\u{FEFF}", "\u{0}", "."] {
            #expect(try encode("ab" + other, "c") == [ids("ab" + other), ids("c")])
        }
        // Blanks before and between stay.
        let context: [Int32] = [32, 1000 + 97, 32, 1000 + 98]
        #expect(try encode("  a  b", "c").first == context)
    }

    @Test func anEmptyContextIsTheEndToken() throws {
        #expect(try encode("", "cd") == [[999], ids("cd")])
        // A context of blanks is empty after they moved.
        #expect(try encode("  ", "cd") == [[999], [32, Self.c] + ids("d")])
    }

    /// A template puts its tokens before the context and not between context and continuation, as the harness does.
    @Test func aContextBeginsWithTheTokensOfTheTemplate() throws {
        #expect(try encode("ab ", "cd", leading: [998]) == [[998] + ids("ab"), [Self.c] + ids("d")])
        #expect(try encode("", "cd", leading: [998]) == [[998], ids("cd")])
        #expect(try encode("  ", "cd", leading: [998]) == [[998], [32, Self.c] + ids("d")])
        // A text that begins with them gets no second ones.
        #expect(try encode("ab", "cd", leading: ids("a")) == [ids("ab"), ids("cd")])
        #expect(try encode("", "cd", leading: ids("c")) == [ids("c"), ids("d")])
        #expect(try encode("ab", "cd", leading: ids("b")) == [ids("bab"), ids("cd")])
        // They are the first to go where a context is too long.
        let encoder = TaskEncoder(tokenizer: PairTokenizer(leadingTokens: [998]), maximumLength: 3)
        for (context, tokens) in [("b", [998] + ids("bcd")), ("ab", ids("abcd"))] {
            let document = try encoder.encode(
                TaskDocument(
                    task: "t", id: nil, file: "t.jsonl", line: 1, query: .completion("cd", context: context)))
            #expect(document.requests == [TaskRequest(tokens: tokens, continuationCount: 2)])
            #expect(document.isTruncated == (context == "ab"))
        }
    }

    /// Ids beyond the model's would be rows that its embedding lacks.
    @Test func idsBeyondTheVocabularyAreRefused() throws {
        try TaskEncoder.require(PairTokenizer(leadingTokens: [1255]), vocabularySize: 1256)
        for (tokenizer, size, words) in [
            (PairTokenizer(), 1255, "has 1256 ids"),
            (PairTokenizer(leadingTokens: [3, 1256]), 1256, "puts the id 1256 before texts"),
        ] {
            let failure = try #require(throws: ProgramFailure.self) {
                try TaskEncoder.require(tokenizer, vocabularySize: size)
            }
            #expect("\(failure)".contains(words), "\(failure)")
        }
    }

    private func requests(_ query: TaskQuery, positions: Int) throws -> EncodedDocument {
        let encoder = TaskEncoder(tokenizer: ByteTokenizer(), maximumLength: positions)
        return try encoder.encode(TaskDocument(task: "t", id: nil, file: "t.jsonl", line: 4, query: query))
    }

    @Test func oneTokenMoreThanPositionsFits() throws {
        let whole = try requests(.completion("cdef", context: "abxyz"), positions: 8)
        #expect(whole.requests == [TaskRequest(tokens: ids("abxyzcdef"), continuationCount: 4)])
        #expect(!whole.isTruncated)
        let cut = try requests(.completion("cdef", context: "abxyz"), positions: 7)
        #expect(cut.requests == [TaskRequest(tokens: ids("bxyzcdef"), continuationCount: 4)])
        #expect(cut.isTruncated)
        // One token of context is left if the continuation has the maximum length.
        let tight = try requests(.completion("cdef", context: "abxyz"), positions: 4)
        #expect(tight.requests == [TaskRequest(tokens: ids("zcdef"), continuationCount: 4)])
    }

    @Test func requestsAreInTheOrderOfTheChoices() throws {
        let document = try requests(
            .choices(["one", "three"], context: "c", delimiter: "--", label: 0), positions: 7)
        #expect(
            document.requests == [
                TaskRequest(tokens: ids("c--one"), continuationCount: 5),
                TaskRequest(tokens: ids("c--three"), continuationCount: 7),
            ])
        #expect(!document.isTruncated)
        let partial = try requests(.contexts(["", "longer"], completion: "cde", label: 0), positions: 4)
        #expect(
            partial.requests == [
                TaskRequest(tokens: [256] + ids("cde"), continuationCount: 3),
                TaskRequest(tokens: ids("ercde"), continuationCount: 3),
            ])
        #expect(partial.isTruncated)
    }

    /// A continuation that does not fit is an error, as in the harness: the likelihood of a part would be wrong.
    @Test func aContinuationThatDoesNotFitIsAnError() throws {
        for query in [
            TaskQuery.choices(["x", "four"], context: "c", delimiter: " ", label: 0),
            .contexts(["a", "b"], completion: "fiver", label: 0), .completion("fiver", context: "c"),
        ] {
            let error = try #require(throws: DataError.self) { try requests(query, positions: 4) }
            #expect(error.file == "t.jsonl" && error.line == 4 && "\(error)".contains("max_position_embeddings, 4"))
            #expect("\(error)".contains("has 5 tokens"), "\(error)")
            _ = try requests(query, positions: 5)
        }
    }

    @Test func aContinuationWithoutTokensIsAnError() throws {
        /// "ab" is one id, and so is "a".
        struct Merging: Tokenizers.Tokenizer {
            let name = "merging"
            let size = 3
            let endToken: Int32 = 2
            let modelBytes: [UInt8] = []
            func encode(_ text: [UInt8]) throws -> [Int32] { text == Array("ab".utf8) ? [1] : text.map { _ in 0 } }
            func decode(_ tokens: [Int32]) -> [UInt8] { [] }
        }
        let document = TaskDocument(
            task: "t", id: nil, file: "t.jsonl", line: 4, query: .completion("b", context: "a"))
        let error = try #require(throws: DataError.self) {
            try TaskEncoder(tokenizer: Merging(), maximumLength: 8).encode(document)
        }
        #expect(error.line == 4 && "\(error)".contains("adds no token"), "\(error)")
    }
}
