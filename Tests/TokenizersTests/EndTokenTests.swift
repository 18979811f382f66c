// EndTokenTests - which token of a tokenizer.json ends documents: a setting, or the files beside it.

import InputFiles
import TestSupport
import Testing

@testable import Tokenizers

@Suite struct EndTokenTests {
    private let directory: TemporaryFolder
    private let path: String

    private static let end = HandmadeTokenizerFile.end
    private static let other = HandmadeTokenizerFile.other

    init() throws {
        directory = try TemporaryFolder()
        try directory.write(HandmadeTokenizerFile().bytes, to: "hand.json")
        path = directory.path("hand.json")
    }

    /// Writes what is not nil, and removes what is.
    private func write(settings: String? = nil, generation: String? = nil) throws {
        for (name, text) in [("tokenizer_config.json", settings), ("generation_config.json", generation)] {
            if directory.exists(name) { try directory.remove(name) }
            if let text { try directory.write(text, to: name) }
        }
    }

    private func endToken(_ setting: String = "") throws -> Int32 {
        try makeTokenizer(path, endToken: setting).endToken
    }

    private func failure(_ setting: String = "", endKey: String = "data.end_token") throws -> DataError {
        try #require(throws: DataError.self) { try makeTokenizer(path, endToken: setting, endKey: endKey) }
    }

    /// A number is an id, even where a token has this text.
    @Test func theSettingComesFirst() throws {
        try write(settings: #"{"eos_token": "<|end|>"}"#, generation: #"{"eos_token_id": 262}"#)
        #expect(try endToken() == Self.end.id)
        #expect(try endToken(Self.other.text) == Self.other.id)
        #expect(try endToken("264") == Self.other.id)
        #expect(try endToken("5") == 5 && endToken("a") == 0x61)
        // What the files say is not read then.
        try write(settings: "[", generation: "[")
        #expect(try endToken(Self.other.text) == Self.other.id)
    }

    @Test(arguments: [#""<|other|>""#, #"{"content": "<|other|>", "lstrip": false}"#])
    func thenTheTokenizersSettings(value: String) throws {
        try write(settings: "{\"eos_token\": \(value)}", generation: #"{"eos_token_id": 262}"#)
        #expect(try endToken() == Self.other.id)
    }

    @Test(arguments: [nil, "{}", #"{"eos_token": null}"#, #"{"eos_token": {"content": null}}"#])
    func thenTheFirstOfGenerationsSettings(settings: String?) throws {
        for (value, id) in [("262", Self.end.id), ("[264, 262]", Self.other.id), ("[262, 999]", Self.end.id)] {
            try write(settings: settings, generation: "{\"eos_token_id\": \(value)}")
            #expect(try endToken() == id)
        }
    }

    /// `config.json` belongs to the model, and is not read.
    @Test(arguments: [nil, "{}", #"{"eos_token_id": []}"#, #"{"eos_token_id": null}"#])
    func withoutAnyTheErrorNamesTheKey(generation: String?) throws {
        try write(generation: generation)
        try directory.write(#"{"eos_token_id": 262}"#, to: "config.json")
        for key in ["data.end_token", "--end-token"] {
            let error = try failure(endKey: key)
            #expect(error.key == "data.tokenizer" && error.file == path)
            #expect(
                error.problem
                    == "neither tokenizer_config.json nor generation_config.json beside it names the token that"
                    + " ends documents (eos)")
            #expect(error.remedy.hasPrefix("name it with \(key): "), "\(error)")
        }
        // Lines are no documents.
        #expect(try makeTokenizer(path, needsEnd: false).endToken == -1)
    }

    @Test func whatIsNoTokenIsNamed() throws {
        try write(settings: #"{"eos_token": "<|end|>"}"#)
        for setting in ["<x>", "-1", " ", "<|end|"] {
            #expect(
                try failure(setting).description
                    == "data.end_token: the end token \(setting.debugDescription) is no token of the tokenizer; name one"
                    + " of its tokens with data.end_token")
        }
        for setting in ["260", "265", "4294967558", "99999999999999999999"] {
            let error = try failure(setting, endKey: "--end-token")
            #expect(
                error.key == "--end-token" && error.file == nil && error.problem.hasSuffix(" is no id of the tokenizer")
            )
        }
        try write(settings: #"{"eos_token": "<x>"}"#)
        var error = try failure()
        #expect(error.file == directory.path("tokenizer_config.json") && error.problem.contains("\"<x>\" is no token"))
        try write(generation: #"{"eos_token_id": [260, 262]}"#)
        error = try failure()
        #expect(error.file == directory.path("generation_config.json") && error.problem.contains("260 is no id"))
        try write(settings: #"{"eos_token": "<|end|>""#)
        error = try failure()
        #expect(error.file == directory.path("tokenizer_config.json") && error.remedy == "mend it, or move it away")
    }

    /// Other tokenizers have an end token of their own.
    @Test func onlyForATokenizerFile() throws {
        try directory.write(HandmadeModel().bytes, to: "hand.model")
        for setting in ["bytes", directory.path("hand.model")] {
            let error = try #require(throws: DataError.self) { try makeTokenizer(setting, endToken: "2") }
            #expect(error.key == "data.end_token" && error.problem == "the end token of \(setting) is its own")
            #expect(try makeTokenizer(setting).endToken == (setting == "bytes" ? 256 : 2))
        }
    }
}
