// SafetensorsHeaderTests - every way in which a header can lie has an error of its own.

import CheckpointFixtures
import Checkpointing
import Testing

@testable import HuggingFace

/// A whole safetensors file: length, header text, so many bytes of data.
func safetensors(_ text: String, data: Int, length: UInt64? = nil) -> [UInt8] {
    let bytes = Array(text.utf8)
    let length = length ?? UInt64(bytes.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) } + bytes
        + [UInt8](repeating: 0, count: data)
}

/// Parses a file that is in memory; a read outside of it is a failure of the test.
func parse(_ file: [UInt8]) throws(HuggingFaceError) -> SafetensorsHeader {
    try SafetensorsHeader(fileByteCount: file.count, file: "test") { range throws(HuggingFaceError) in
        precondition(range.lowerBound >= 0 && range.upperBound <= file.count, "\(range) of \(file.count)")
        return Array(file[range])
    }
}

@Suite struct SafetensorsHeaderTests {
    private func kind(_ file: [UInt8]) throws -> HuggingFaceError.Kind {
        try #require(throws: HuggingFaceError.self) { try parse(file) }.kind
    }

    private func kind(_ text: String, data: Int = 16) throws -> HuggingFaceError.Kind {
        try kind(safetensors(text, data: data))
    }

    private static let a = #""a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}"#

    @Test func wellFormedHeadersAreRead() throws {
        // Fields in another order, blanks, escapes, metadata, tensors in another order than their data.
        let text = """
            {"b\\u0062": {"shape": [4], "data_offsets": [8, 16], "dtype": "BF16"}, "__metadata__": {"format": "pt", "x": ""},
            \(Self.a), "empty": {"dtype":"I64","shape":[0, 9223372036854775807, 7],"data_offsets":[8,8]},
            "scalar": {"dtype":"U8","shape":[],"data_offsets":[16,17]} }
            """
        let start = 8 + text.utf8.count
        let header = try parse(safetensors(text, data: 17))
        #expect(header.tensors.map(\.name) == ["a", "empty", "bb", "scalar"])
        #expect(header.tensors.map(\.type) == [.float32, .int64, .bfloat16, .uint8])
        #expect(header.tensors.map(\.shape) == [[2, 1], [0, .max, 7], [4], []])
        #expect(header.tensors.map(\.count) == [2, 0, 4, 1])
        #expect(
            header.tensors.map(\.bytes)
                == [start..<start + 8, start + 8..<start + 8, start + 8..<start + 16, start + 16..<start + 17])
        #expect(try parse(safetensors("{}", data: 0)).tensors.isEmpty)
        #expect(try parse(safetensors("{}     ", data: 0)).tensors.isEmpty)
    }

    @Test func lengthIsBounded() throws {
        for count in 0..<8 { #expect(try kind([UInt8](repeating: 1, count: count)) == .truncated) }
        #expect(try kind(safetensors("{}", data: 0, length: 3)) == .truncated)
        #expect(try kind(safetensors("{}", data: 0, length: 100_000_000)) == .truncated)
        for length in [100_000_001, 1 << 40, 1 << 63, .max] as [UInt64] {
            #expect(try kind(safetensors("{}", data: 0, length: length)) == .headerTooLong)
        }
        // Shorter than the text: the rest is data, and cannot end the JSON.
        #expect(try kind(safetensors("{}", data: 0, length: 1)) == .malformedJSON)
        #expect(try kind(safetensors("{}", data: 0, length: 0)) == .malformedJSON)
    }

    @Test func jsonMustBeWellFormed() throws {
        let texts = [
            "", " {}", "[]", "{", "{}}", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"__metadata__\":{}",
            "{\"__metadata__\":{},}", "{,}",
            "{\"\u{1}\":1}", "{\"\\x\":1}", "{\"\\ud800\":1}", "{\"\\udc00\":1}", "{\"\\ud800\\u0061\":1}",
            "{\"\\u00g0\":1}", "{\"\\u+123\":1}", "{\"a\":[01]}", "{\"a\":[1.]}", "{\"a\":[.5]}", "{\"a\":[+1]}",
            "{\"a\":[1e]}",
            "{\"a\":[tru]}", "{\"a\":[nul]}", "{\"a\":[NaN]}", "{\"a", "{\"a\\", "{\"\\u12",
        ]
        for text in texts { #expect(try kind(text) == .malformedJSON, "\(text)") }
        #expect(try kind(safetensors("{", data: 0) + [0xFF]) == .malformedJSON)
        let invalid = Array("{\"".utf8) + [0xC3, 0x28] + Array("\":1}".utf8)
        #expect(try kind([UInt8(invalid.count)] + [UInt8](repeating: 0, count: 7) + invalid) == .malformedJSON)
        #expect(try kind("{\"a\":1}") == .wrongType)
        #expect(try kind("{\"a\":[{}]}") == .wrongType)
    }

    @Test func depthIsBounded() throws {
        let deep = String(repeating: "[", count: 1_000_000)
        #expect(try kind("{\"a\":\(deep)") == .tooDeep)
        #expect(try kind("{\"a\":{\"dtype\":\(deep)") == .tooDeep)
        #expect(try kind("{\"__metadata__\":\(String(repeating: "{\"a\":", count: 100))") == .tooDeep)
        // Fifteen levels inside the outermost object are the most.
        let most = String(repeating: "[", count: 15) + String(repeating: "]", count: 15)
        #expect(try kind("{\"a\":\(most)}") == .wrongType)
        #expect(try kind("{\"a\":[\(most)]}") == .tooDeep)
    }

    @Test func namesAreDifferent() throws {
        #expect(try kind("{\(Self.a),\(Self.a)}") == .duplicateTensor)
        // The same name, spelled with an escape.
        #expect(try kind("{\(Self.a),\(Self.a.replacing("\"a\"", with: "\"\\u0061\""))}") == .duplicateTensor)
        #expect(try kind("{\"__metadata__\":{},\"__metadata__\":{}}") == .duplicateTensor)
        #expect(try kind("{\"__metadata__\":{\"x\":\"\",\"x\":\"\"}}") == .duplicateKey)
        #expect(try kind(#"{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#) == .duplicateKey)
    }

    /// Two names that look the same, one composed and one not, are two names.
    @Test func accentsMakeNamesDifferent() throws {
        let composed = #""\u00e9":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#
        let decomposed = #""e\u0301":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}"#
        let tensors = try parse(safetensors("{\(composed),\(decomposed)}", data: 2)).tensors
        #expect(tensors.map { Array($0.name.utf8) } == [[0xC3, 0xA9], [0x65, 0xCC, 0x81]])
    }

    @Test func metadataAreStrings() throws {
        for value in ["1", "[]", "\"pt\"", "null", "{\"a\":1}", "{\"a\":null}", "{\"a\":{}}"] {
            #expect(try kind("{\"__metadata__\":\(value),\(Self.a)}", data: 8) == .badMetadata, "\(value)")
        }
        #expect(try parse(safetensors("{\"__metadata__\":{},\(Self.a)}", data: 8)).tensors.count == 1)
    }

    @Test(arguments: [
        (#"{"a":{"shape":[2],"data_offsets":[0,8]}}"#, HuggingFaceError.Kind.badEntry),
        (#"{"a":{"dtype":"F32","data_offsets":[0,8]}}"#, .badEntry),
        (#"{"a":{"dtype":"F32","shape":[2]}}"#, .badEntry),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}"#, .badEntry),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8]}}"#, .badEntry),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4,8]}}"#, .badEntry),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#, .badEntry),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8.0]}}"#, .badEntry),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551616]}}"#, .badEntry),
        (#"{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}"#, .unknownType),
        (#"{"a":{"dtype":"f32","shape":[2],"data_offsets":[0,8]}}"#, .unknownType),
        (#"{"a":{"dtype":4,"shape":[2],"data_offsets":[0,8]}}"#, .wrongType),
        (#"{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}"#, .wrongType),
        (#"{"a":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}"#, .wrongType),
        (#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, .badShape),
        (#"{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}"#, .badShape),
        (#"{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]}}"#, .badShape),
        (#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, .shapeOverflow),
        (#"{"a":{"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]}}"#, .shapeOverflow),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, .reversedOffsets),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9]}}"#, .wrongByteCount),
        (#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,8]}}"#, .wrongByteCount),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}}"#, .outsideData),
        (
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[9223372036854775799,9223372036854775807]}}"#,
            .outsideData
        ),
        (
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[3],"data_offsets":[4,16]}}"#,
            .overlap
        ),
        (
            #"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#,
            .overlap
        ),
        (
            #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#,
            .hole
        ),
        (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[4,16]}}"#, .hole),
        (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#, .hole),
        ("{}", .hole),
    ])
    func entriesAreChecked(text: String, expected: HuggingFaceError.Kind) throws {
        #expect(try kind(text) == expected)
    }

    /// Every proper prefix of a good file is an error.
    @Test func everyTruncationIsFound() throws {
        let file = safetensors("{\(Self.a)}", data: 8)
        #expect(try parse(file).tensors.count == 1)
        for count in 0..<file.count {
            let found = try kind(Array(file.prefix(count)))
            #expect(found == .truncated || found == .outsideData, "cut to \(count)")
        }
    }

    @Test func messagesAreSafeToPrint() throws {
        let name = "\\u001b[31m" + String(repeating: "x", count: 10_000)
        let error = try #require(throws: HuggingFaceError.self) {
            try parse(safetensors("{\"\(name)\":{}}", data: 0))
        }
        #expect(error.description.count < 200 && !error.description.contains("\u{1b}"))
    }
}
