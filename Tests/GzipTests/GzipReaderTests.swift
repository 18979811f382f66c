// GzipReaderTests - members made by Python's zlib and by hand, whole and damaged.

import Foundation
import TestSupport
import Testing

@testable import Gzip

/// "first line\nsecond ".
private let first = bytes("H4sIAAAAAAACA0vLLCouUcjJzEvlKk5Nzs9LUQAATYqmnRIAAAA=")
/// "line\nthird\n", with an extra field, a name, a comment and a checksum of the header.
private let second = bytes("H4sIHgAAAAACAwUAQUIBAHhhLnR4dABhIGNvbW1lbnQAvGXLycxL5SrJyCxK4QIAXwGPfQsAAAA=")
/// A member without content.
private let empty = bytes("H4sIAAAAAAACAwMAAAAAAAAAAAA=")

private func bytes(_ base64: String) -> [UInt8] { Data(base64Encoded: base64).map { Array($0) } ?? [] }

/// Everything that the reader gives for `content`, which it gets in blocks.
private func decompress(_ content: [UInt8], chunkSize: Int = 1 << 17, inputSize: Int = 1 << 17) throws -> [UInt8] {
    var offset = 0
    let reader = try GzipReader(chunkSize: chunkSize) {
        guard offset < content.count else { return nil }
        defer { offset = min(offset + inputSize, content.count) }
        return Array(content[offset..<min(offset + inputSize, content.count)])
    }
    var result: [UInt8] = []
    while let chunk = try reader.next() {
        #expect(!chunk.isEmpty && chunk.count <= chunkSize)
        result += chunk
    }
    #expect(reader.offset == content.count)
    #expect(try reader.next() == nil)
    return result
}

/// The error that reading `content` ends with.
private func failure(_ content: [UInt8], inputSize: Int = 1 << 17) throws -> GzipError {
    try #require(throws: GzipError.self) { try decompress(content, inputSize: inputSize) }
}

@Suite struct GzipReaderTests {
    private let text = Array("first line\nsecond line\nthird\n".utf8)

    @Test(arguments: [(1 << 17, 1 << 17), (1, 1), (3, 7), (7, 3), (1 << 17, 1)])
    func readsSeveralMembersAsOneText(chunkSize: Int, inputSize: Int) throws {
        let content = empty + first + empty + second + empty
        #expect(try decompress(content, chunkSize: chunkSize, inputSize: inputSize) == text)
    }

    @Test func readsNothing() throws { #expect(try decompress(empty) == []) }

    /// Longer than a chunk, a block of input, and the library's window.
    @Test func readsLongMembers() throws {
        var random = SeededGenerator(seed: 3)
        let long = (0..<300_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        #expect(try decompress(gzipMember(long) + gzipMember(text), chunkSize: 4096, inputSize: 1000) == long + text)
    }

    /// Every cut but those between members.
    @Test func aCutIsFound() throws {
        let content = first + second
        for count in 0..<content.count where count != first.count {
            let error = try failure(Array(content[..<count]))
            #expect(error.reason == .truncated && error.offset == count, "\(count): \(error)")
        }
        #expect(try failure([]).detail == "without any data")
        #expect(try failure(Array(first.dropLast())).detail == "inside a gzip member")
        // The remaining data are complete.
        #expect(try decompress(first) == Array("first line\nsecond ".utf8))
    }

    @Test(arguments: [
        (0, "incorrect header check"), (2, "unknown compression method"), (3, "unknown header flags set"),
        (30, "incorrect data check"), (33, "incorrect data check"), (34, "incorrect length check"),
        (37, "incorrect length check"),
    ])
    func damageIsFound(index: Int, words: String) throws {
        var content = first
        content[index] ^= 0x80
        let error = try failure(content)
        #expect(error.reason == .corrupt && error.detail == words, "\(error)")
        // The second member is checked as the first is.
        guard index > 1 else { return }
        let later = try failure(second + content)
        #expect(later.reason == .corrupt && later.detail == words && later.offset == second.count + error.offset)
    }

    @Test func aHeaderHasItsOwnChecksum() throws {
        var content = second
        content[20] ^= 1
        #expect(try failure(content).detail == "header crc mismatch")
    }

    @Test(arguments: [Array("xyz".utf8), [0], [0, 0, 0], [0x1F, 0, 1], [0x1F, 0x8C]], [1, 1 << 17])
    func trailingBytesAreFound(trailing: [UInt8], inputSize: Int) throws {
        let error = try failure(first + trailing, inputSize: inputSize)
        #expect(error.reason == .trailingBytes && error.offset == first.count, "\(error)")
    }

    @Test func errorsOfTheInputPass() throws {
        struct Refused: Error {}
        let reader = try GzipReader { throw Refused() }
        #expect(throws: Refused.self) { try reader.next() }
    }
}
