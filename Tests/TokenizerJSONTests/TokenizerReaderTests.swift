// TokenizerReaderTests - what is refused in a tokenizer.json, by name.

import Testing

@testable import TokenizerJSON

@Suite struct TokenizerReaderTests {
    private static let model =
        #"{"type":"BPE","dropout":null,"unk_token":null,"fuse_unk":false,"vocab":{"a":0,"b":1,"ab":5},"merges":["a b"]}"#

    private func file(_ members: String, model: String = Self.model) -> [UInt8] {
        Array("{\"version\":\"1.0\",\(members)\"model\":\(model)}".utf8)
    }

    private func problem(_ bytes: [UInt8]) -> String {
        do throws(TokenizerFileError) {
            _ = try TokenizerPipeline(reading: bytes)
            return "none"
        } catch { return error.problem }
    }

    @Test func idsMayHaveHoles() throws {
        let tokenizer = try TokenizerPipeline(reading: file(""))
        #expect(tokenizer.size == 6 && tokenizer.has(5) && !tokenizer.has(3))
        #expect(try tokenizer.encode(Array("abba".utf8)) == [5, 1, 0])
        #expect(try tokenizer.decode([5, 3, 1, 99]) == Array("ab b".utf8))
        #expect(tokenizer.id(of: "ab") == 5 && tokenizer.id(of: "ba") == nil)
    }

    /// The ids are those of tokenizers 0.23: what replaces several characters at the start is no start any more.
    @Test(arguments: [
        ("99", [1]), ("9", [0, 3]), ("é", [0, 1]), ("99a", [1, 2]), ("a99", [0, 2, 1]), ("éa", [0, 1, 2]),
    ])
    func aReplacedStart(text: String, ids: [Int32]) throws {
        let members = #"""
            "normalizer":{"type":"Replace","pattern":{"Regex":"\\d\\d+|é"},"content":"#"},
            "pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true},
            """#
        let model = ##"{"type":"BPE","dropout":null,"vocab":{"▁":0,"#":1,"a":2,"9":3},"merges":[]}"##
        let tokenizer = try TokenizerPipeline(reading: file(members, model: model))
        #expect(try tokenizer.encode(Array(text.utf8)) == ids)
    }

    @Test(arguments: [
        (#""normalizer":{"type":"BertNormalizer"},"#, "the normalizer BertNormalizer is not supported"),
        (#""pre_tokenizer":{"type":"UnicodeScripts"},"#, "the pre-tokenizer UnicodeScripts is not supported"),
        (#""decoder":{"type":"WordPiece"},"#, "the decoder WordPiece is not supported"),
        (#""post_processor":{"type":"BertProcessing"},"#, "the post-processor BertProcessing is not supported"),
        (#""normalizer":{"type":"NFC","x":1},"#, "normalizer.x of NFC is not supported"),
        (#""novelty":1,"#, "the key novelty is not supported"),
        (#""version":"1.0","#, "the key version comes twice"),
        (
            #""truncation":{"max_length":512},"#, "truncation changes the ids of texts, which training cannot use"
        ),
    ])
    func unknownPartsAreNamed(members: String, words: String) {
        #expect(problem(file(members)) == words)
    }

    @Test(arguments: [
        (#"{"type":"WordPiece","vocab":{}}"#, "the model WordPiece is not supported"),
        (#"{"type":"BPE","dropout":0.5,"vocab":{},"merges":[]}"#, "model.dropout other than 0 is not supported"),
        (
            #"{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}"#,
            "the merge 0 makes 'ab', which is no token of model.vocab"
        ),
        (
            #"{"type":"BPE","vocab":{"a":0,"b":1},"merges":[["a","c"]]}"#,
            "the merge 0 of 'a' and 'c' has a part that is no token of model.vocab"
        ),
        (
            #"{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}"#,
            "the token 'b', or its id 0, is in model.vocab twice"
        ),
        (#"{"type":"BPE","vocab":{"a":-1},"merges":[]}"#, "the id of 'a' in model.vocab is no id"),
        (
            #"{"type":"BPE","unk_token":"u","vocab":{"a":0},"merges":[]}"#,
            "model.unk_token 'u' is no token of model.vocab"
        ),
        (#"{"type":"Unigram","unk_id":1,"vocab":[["a",0.5]]}"#, "model.unk_id is 1, and model.vocab has 1 tokens"),
        (#"{"type":"Unigram","unk_id":0,"vocab":{"a":0}}"#, "the model Unigram needs model.vocab as an array"),
    ])
    func brokenModelsAreNamed(model: String, words: String) {
        #expect(problem(file("", model: model)) == words)
    }

    @Test func addedTokensNeedTheLibrarysIds() {
        func added(_ id: Int) -> String {
            "\"added_tokens\":[{\"id\":\(id),\"content\":\"<x>\",\"single_word\":false,\"lstrip\":false,"
                + "\"rstrip\":false,\"normalized\":false,\"special\":true}],"
        }
        #expect(problem(file(added(3))) == "none")
        #expect(
            problem(file(added(7))) == "the added token '<x>' has the id 7, where the library tokenizers gives it 3")
    }

    @Test func nestingIsBounded() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(problem(Array("{\"normalizer\":\(deep)".utf8)).contains("nested more deeply than 16 levels"))
    }

    @Test func everyTruncationIsAnError() throws {
        let whole = try Array(GoldenTokenizer.load("unigram").tokenizer.utf8)
        #expect(problem(whole) == "none")
        for count in stride(from: 0, to: whole.count, by: 37) { #expect(problem(Array(whole[..<count])) != "none") }
    }

    @Test func numbersAreReadAsTheLibraryReadsThem() {
        // More digits than a double holds are rounded twice.
        for (text, value) in [("0", 0), ("-5.5", -5.5), ("1e3", 1000), ("12.5E-1", 1.25), ("-0.0", 0)] {
            #expect(DecimalNumber.double(text) == value)
        }
        #expect(DecimalNumber.double("1e400") == .infinity && DecimalNumber.double("1e-400") == 0)
    }
}
