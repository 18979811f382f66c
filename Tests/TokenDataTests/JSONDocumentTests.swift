// JSONDocumentTests - valid and invalid lines of .jsonl by RFC 8259.

import Testing

@testable import TokenData

@Suite struct JSONDocumentTests {
    private func document(_ line: String) throws(JSONDocument.Problem) -> JSONDocument {
        try JSONDocument(line: Array(line.utf8))
    }

    @Test(arguments: [
        (#"{"text":""}"#, ""), (#" { "text" : "a" } "#, "a"), (#"{"te\u0078t":"é"}"#, "é"),
        (#"{"text":"\"\\\/\b\f\n\r\t"}"#, "\"\\/\u{8}\u{C}\n\r\t"), (#"{"text":"\u0000x"}"#, "\u{0}x"),
        (#"{"text":"\u00e9\uD83D\uDE00\u20aC"}"#, "é\u{1F600}\u{20AC}"),
        (#"{"text":"\#u{7F}\#u{2028}"}"#, "\u{7F}\u{2028}"),
        (#"{"a":[1,-0.5e+3,1E9,true,false,null,{},[],{"text":3}],"text":"b","c":"\ud800"}"#, "b"),
        (#"{"a":1e999,"text":"no number is computed"}"#, "no number is computed"),
    ])
    func texts(line: String, text: String) throws {
        #expect(try document(line).text == Array(text.utf8))
    }

    @Test(arguments: [
        "", "{", "{}x", "nonsense", "nul", "{'text':\"a\"}", "{text:\"a\"}", #"{"text"}"#, #"{"text":}"#,
        #"{"text":"a""#,
        #"{"text":"a"}{"#, #"{"text":"a",}"#, #"{,"text":"a"}"#, #"{"text":"a" "b":1}"#, #"{"text":"a","n":01}"#,
        #"{"text":"a","n":-}"#, #"{"text":"a","n":1.}"#, #"{"text":"a","n":.5}"#, #"{"text":"a","n":1e}"#,
        #"{"text":"a","n":+1}"#, #"{"text":"a","n":NaN}"#, #"{"text":"a","n":[1,]}"#, #"{"text":"a","n":[1 2]}"#,
        #"{"text":"\q"}"#, #"{"text":"\u12g4"}"#, #"{"text":"\u123"#, "{\"text\":\"a\tb\"}", #"{"text":"a"}/**/"#, "[1",
        "\u{FEFF}{}",
    ])
    func invalid(line: String) {
        #expect(throws: JSONDocument.Problem.notJSON) { try document(line) }
    }

    @Test(arguments: [
        (#"{"text":3}"#, JSONDocument.Problem.notText), (#"{"text":{"text":"a"}}"#, .notText),
        (#"{"text":null}"#, .nullText),
        ("{}", .noText), (#"{"Text":"a"}"#, .noText), (#"["text"]"#, .noObject), ("3", .noObject), ("null", .noObject),
        (#"{"text":"a","text":"a"}"#, .twoTexts), (#"{"text":"\ud800"}"#, .halfPair),
        (#"{"text":"\ud83dx\ude00"}"#, .halfPair),
        (#"{"text":"\ude00\ud83d"}"#, .halfPair), (#"{"text":"\ud800\ud83d\ude00"}"#, .halfPair),
        ("{\"text\":\"a\u{0}\"}", .zeroByte), ("\u{0}", .zeroByte),
    ])
    func problems(line: String, problem: JSONDocument.Problem) {
        #expect(throws: problem) { try document(line) }
    }

    /// Where in the line it is, behind the words that mistakes are counted by.
    @Test(arguments: [
        (#"{"text":"a","meta":{"n":NaN}}"#, ": NaN at column 25"), (#"{"é":-Infinity}"#, ": Infinity at column 7"),
        (#"{"text":Infinity}"#, ": Infinity at column 9"), ("{'text':1}", ": at column 2"),
        ("nonsense", ": at column 2"),
        (#"{"text":"a"} x"#, ": at column 14"), (#"{"text":"a""#, ": it ends too early"), ("", ": it ends too early"),
        ("{\"text\":\"\u{0}\"}", " at column 10"),
    ])
    func locations(line: String, location: String) throws {
        let problem = try #require(throws: JSONDocument.Problem.self) { try document(line) }
        #expect(problem.location == location && problem.description == problem.words + location)
    }

    @Test(
        arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF4, 0x90, 0x80, 0x80]] as [[UInt8]])
    func invalidUTF8(bytes: [UInt8]) {
        #expect(throws: JSONDocument.Problem.notUTF8) {
            try JSONDocument(line: Array("{\"text\":\"".utf8) + bytes + Array("\"}".utf8))
        }
        let problem = #expect(throws: JSONDocument.Problem.self) {
            try JSONDocument(line: Array("{\"text\":\"é".utf8) + bytes + Array("\"}".utf8))
        }
        let first = String(bytes[0], radix: 16, uppercase: true)
        #expect(problem?.description == "the line is not valid UTF-8: byte 0x\(first) at column 11")
    }

    /// Nesting costs stack: it has a limit, also where brackets are never closed.
    @Test func depth() throws {
        func nested(_ depth: Int) -> String {
            "{\"text\":\"a\",\"n\":" + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}"
        }
        #expect(try document(nested(512)).text == Array("a".utf8))
        #expect(throws: JSONDocument.Problem.tooDeep) { try document(nested(513)) }
        #expect(throws: JSONDocument.Problem.tooDeep) { try document(String(repeating: "[", count: 1 << 20)) }
        #expect(throws: JSONDocument.Problem.tooDeep) { try document(String(repeating: "{\"meta\":", count: 1 << 18)) }
    }

    @Test func domains() throws {
        func domain(_ meta: String) throws -> JSONDocument.Domain { try document("{\"text\":\"a\"\(meta)}").domain }
        #expect(try domain("") == .absent)
        #expect(try domain(#", "meta": null"#) == .absent)
        #expect(try domain(#", "meta": {"n": 1, "pile_set_name": null}"#) == .absent)
        #expect(
            try domain(#", "meta": {"n": {"pile_set_name": "x"}, "pile_set_name": "Pile-\u0043C"}"#)
                == .named("Pile-CC"))
        // One character in two spellings.
        #expect(try domain(#", "meta": {"pile_set_name": "e\u0301"}"#) == .named("\u{E9}"))
        #expect(try domain(#", "meta": 3"#) == .malformed("\"meta\" is no object"))
        #expect(try domain(#", "meta": {"pile_set_name": 3}"#) == .malformed("\"meta.pile_set_name\" is no name"))
        #expect(try domain(#", "meta": {"pile_set_name": ""}"#) == .malformed("\"meta.pile_set_name\" is no name"))
        let twice = try domain(#", "meta": {"pile_set_name": "a"}, "meta": {"pile_set_name": "a"}"#)
        #expect(twice == .malformed("the object has two \"meta\""))
    }

    @Test func repeatedKeysAreFound() {
        func key(_ line: String) -> String? { repeatedKey(ofObject: Array(line.utf8)) }
        #expect(key(#" {"a": 1, "b": {"a": 2, "a": 3}, "c": ["a"]}"#) == nil)
        #expect(key(#"{"a": 1, "b": 2, "b": 2, "a": 3}"#) == "b")
        // However it is spelled.
        #expect(key(#"{"label": 1, "l\u0061bel": 2}"#) == "label")
        #expect(key("[1]") == nil && key(#"{"a": 1, "a""#) == nil && key("") == nil)
    }
}
