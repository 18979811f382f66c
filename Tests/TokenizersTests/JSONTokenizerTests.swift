// JSONTokenizerTests - a tokenizer.json as a tokenizer: ids, texts, bytes of tokens, checkpoints, directories.

import InputFiles
import TestSupport
import Testing

@testable import Tokenizers

@Suite struct JSONTokenizerTests {
    private let directory: TemporaryFolder
    init() throws { directory = try TemporaryFolder() }

    private static let end = HandmadeTokenizerFile.end.id
    private static let other = HandmadeTokenizerFile.other.id

    private func tokenizer(endToken: Int32? = Self.end) throws -> JSONTokenizer {
        try JSONTokenizer(
            modelBytes: HandmadeTokenizerFile().bytes, name: "hand.json", origin: "here/hand.json", endToken: endToken)
    }

    @Test func aFileIsUsedAsItIs() throws {
        let file = HandmadeTokenizerFile().bytes
        try directory.write(file, to: "hand.json")
        let tokenizer = try makeTokenizer(directory.path("hand.json"), endToken: "<|end|>")
        #expect(tokenizer.name == "hand.json" && tokenizer.kind == "tokenizer.json" && tokenizer.modelBytes == file)
        #expect(tokenizer.size == HandmadeTokenizerFile.size && tokenizer.endToken == Self.end)
        #expect(!tokenizer.splitsAnywhere && !tokenizer.readsAnyBytes)
        #expect(try tokenizer.encode(Array("ab é a".utf8)) == [256, 0x20, 258, 257])
        // The pair of the first merge is merged first: a blank and "ab".
        #expect(try tokenizer.encode(Array(" ab".utf8)) == [0x20, 256])
        #expect(try tokenizer.encode([]).isEmpty && tokenizer.decode([]).isEmpty)
        // A byte that is no UTF-8 is U+FFFD; a special token's text is the token, as the library has it.
        #expect(try tokenizer.encode([0x61, 0xFF]) == [0x61, 0xEF, 0xBF, 0xBD])
        #expect(try tokenizer.encode(Array("a<|end|>".utf8)) == [0x61, Self.end])
        // One part: a document is encoded whole.
        let text = Array("ab é a".utf8)
        #expect(tokenizer.parts(of: text) == [0..<text.count])
        #expect(try tokenizer.encode(text, part: 0..<text.count) == [256, 0x20, 258, 257])
    }

    @Test func idsMayHaveHoles() throws {
        let tokenizer = try tokenizer()
        for id in HandmadeTokenizerFile.holes + [-1, 265, .max] {
            #expect(tokenizer.piece(id) == nil && tokenizer.bytes(of: id, after: 0x61).isEmpty)
            #expect(tokenizer.decode([256, id, 258]) == Array("abé".utf8))
            #expect(tokenizer.byteCount(of: [256, id, 258], after: Self.end) == 4)
        }
        let error = try #require(throws: DataError.self) { try self.tokenizer(endToken: 260) }
        #expect(error.file == "here/hand.json" && error.problem == "the end token 260 is no token of hand.json")
    }

    @Test func decodingLeavesOutTheEndAlone() throws {
        let tokenizer = try tokenizer()
        #expect(tokenizer.decode([256, Self.end, 257, Self.other, Self.end]) == Array("ab a<|other|>".utf8))
        #expect(try self.tokenizer(endToken: nil).decode([256, Self.end]) == Array("ab<|end|>".utf8))
        #expect(try self.tokenizer(endToken: nil).endToken == -1)
        #expect(try tokenizer.pieces(Array("ab aé".utf8)) == ["ab", "\u{120}a", "Ã©"].map { Array($0.utf8) })
    }

    /// Text generated token by token is the text of all tokens, also where a token is a part of a character.
    @Test func bytesOfTokensMakeTheText() throws {
        let tokenizer = try tokenizer()
        for text in ["ab é a\n b\u{1F600}", " aa", "", "ab ab<|other|>", "\n\na\0"] {
            let bytes = Array(text.utf8)
            try expectBytesOfTokens(of: bytes, by: tokenizer)
            #expect(tokenizer.decode(try tokenizer.encode(bytes)) == bytes)
        }
        #expect(tokenizer.bytes(of: 0xC3, after: 0x61) == [0xC3])
        #expect(tokenizer.bytes(of: 257, after: 0x61) == Array(" a".utf8))
        #expect(tokenizer.bytes(of: Self.end, after: 257).isEmpty)
        #expect(tokenizer.bytes(of: Self.other, after: 257) == Array("<|other|>".utf8))
    }

    @Test func aCheckpointHoldsFileAndEnd() throws {
        let file = HandmadeTokenizerFile().bytes
        let stored = try CheckpointTokenizer(name: "hand.json", modelBytes: file, endToken: 264, origin: "step-1")
        let tokenizer = try stored.required(by: "")
        #expect(tokenizer.name == "hand.json" && tokenizer.modelBytes == file && tokenizer.endToken == Self.other)
        #expect(try tokenizer.encode(Array("ab".utf8)) == [256])
        // Without end token it reads no text, and says how it gets one.
        let endless = try CheckpointTokenizer(name: "hand.json", modelBytes: file, origin: "step-1")
        #expect(endless.tokenizer == nil)
        var error = try #require(throws: DataError.self) { try endless.required(by: "--prompt") }
        let start = "--prompt: step-1: the checkpoint does not say which token of hand.json ends documents; "
        #expect(error.description.hasPrefix(start) && error.remedy.contains("data.end_token"), "\(error)")
        for (bytes, end) in [(file, 260), (file, -1), (Array(file.dropLast(9)), 264), ([0x7B], 264)] {
            error = try #require(throws: DataError.self) {
                try CheckpointTokenizer(name: "hand.json", modelBytes: bytes, endToken: end, origin: "step-1")
            }
            #expect(error.file == "step-1")
        }
    }

    @Test func whatIsNotSupportedIsNamed() throws {
        var file = HandmadeTokenizerFile()
        file.modelType = "WordPiece"
        try directory.write(file.bytes, to: "w.json")
        let path = directory.path("w.json")
        var error = try #require(throws: DataError.self) { try makeTokenizer(path, endToken: "<|end|>") }
        #expect(error.description.hasPrefix("data.tokenizer: \(path): the model WordPiece is not supported; "))
        #expect(error.remedy.contains("data.tokenizer: none"))
        error = try #require(throws: DataError.self) { try makeTokenizer("no/such.json", key: "--tokenizer") }
        #expect(error.description.hasPrefix("--tokenizer: no/such.json: there is no such file"))
    }

    // MARK: - Directories

    /// The files are those that an import of the directory takes.
    @Test func aDirectoryStandsForItsTokenizer() throws {
        let folder = directory.path("hf")
        try directory.write(HandmadeTokenizerFile().bytes, to: "hf/tokenizer.json")
        try directory.write(#"{"eos_token": "<|end|>"}"#, to: "hf/tokenizer_config.json")
        for setting in [folder, folder + "/"] {
            #expect(tokenizerFile(setting) == folder + "/tokenizer.json")
            let tokenizer = try makeTokenizer(setting)
            #expect(tokenizer.name == "tokenizer.json" && tokenizer.endToken == Self.end)
        }
        // Llama 3's tokenizer.model is passed over, a SentencePiece model is not.
        try directory.write("IQ== 0\nIg== 1\n", to: "hf/tokenizer.model")
        #expect(tokenizerFile(folder) == folder + "/tokenizer.json")
        try directory.write(HandmadeModel().bytes, to: "hf/tokenizer.model")
        #expect(try makeTokenizer(folder).kind == "sentencepiece")
        // A damaged one is an error, and no reason for the other file.
        try directory.write([1, 2, 3], to: "hf/tokenizer.model")
        let error = try #require(throws: DataError.self) { try makeTokenizer(folder) }
        #expect(error.key == "data.tokenizer" && error.file == folder + "/tokenizer.model")
    }

    @Test func otherDirectoriesAreNoTokenizers() throws {
        try directory.makeFolder("empty")
        try directory.write("{}", to: "t.json/tokenizer.json")
        for setting in ["bytes", "none", "no/such", directory.path("empty"), directory.path("t.json")] {
            #expect(tokenizerFile(setting) == setting)
        }
        var error = try #require(throws: DataError.self) { try makeTokenizer(directory.path("empty")) }
        #expect(error.remedy.hasSuffix("or of a directory with tokenizer.model or tokenizer.json"), "\(error)")
        error = try #require(throws: DataError.self) { try makeTokenizer(directory.path("t.json")) }
        #expect(error.problem == "this is a directory")
    }
}
