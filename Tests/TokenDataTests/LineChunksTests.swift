// LineChunksTests - equal chunks of lines for streamed reading and for reading at offsets.

import DataFixtures
import TestSupport
import Testing
import InputFiles

@testable import TokenData

@Suite struct LineChunksTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    /// The chunks by their definition.
    private func expected(_ bytes: [UInt8], size: Int, longest: Int) -> [LineChunk] {
        var chunks = (0..<((bytes.count + size - 1) / size)).map { LineChunk(isFirst: $0 == 0) }
        var start = 0
        while start < bytes.count {
            let feed = bytes[start...].firstIndex(of: 10)
            let end = feed.map { $0 + 1 } ?? bytes.count
            if end - start - (feed == nil ? 0 : 1) > longest {
                chunks[start / size].endsInLongLine = true
            } else {
                chunks[start / size].bytes += bytes[start..<end]
            }
            start = end
        }
        return chunks
    }

    private func streamed(_ bytes: [UInt8], size: Int, longest: Int, block: Int) throws -> [LineChunk] {
        var offset = 0
        var source = LineChunks(size: size, longest: longest) {
            guard offset < bytes.count else { return nil }
            defer { offset += block }
            return Array(bytes[offset..<min(offset + block, bytes.count)])
        }
        var chunks: [LineChunk] = []
        while let chunk = try source.next() { chunks.append(chunk) }
        return chunks
    }

    /// Random files of short and long lines, empty ones, and no line feed at the end; limits of a few bytes.
    @Test func bothReadersFollowTheDefinition() throws {
        var random = SeededGenerator(seed: 3)
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        var longLines = 0
        for _ in 0..<400 {
            let bytes = (0..<number(1...60)).map { _ in number(0...4) == 0 ? UInt8(10) : UInt8(number(97...99)) }
            let size = number(1...9)
            let longest = size + number(0...12)
            let chunks = expected(bytes, size: size, longest: longest)
            longLines += chunks.count { $0.endsInLongLine }
            #expect(try streamed(bytes, size: size, longest: longest, block: number(1...7)) == chunks)
            let file = try ReadableFile(path: try directory.write("lines", bytes))
            let read = try chunks.indices.map {
                try LineChunk($0, of: file, fileSize: bytes.count, size: size, longest: longest)
            }
            #expect(read == chunks)
            #expect(
                chunks.reduce(0) { $0 + $1.lineCount } == bytes.split(separator: 10, omittingEmptySubsequences: false)
                    .count - (bytes.last == 10 ? 1 : 0))
        }
        #expect(longLines > 20)
    }

    @Test func linesAreNumberedAndTold() throws {
        let text = "\u{FEFF}{\"text\":\"a\"}\r\n \t\r\n\nx\n{\"text\":\"b\"}"
        var chunk = LineChunk(bytes: Array(text.utf8), endsInLongLine: true, isFirst: true)
        func lines() throws -> [String] {
            var list: [String] = []
            let count = try chunk.forEachLine { number, line in
                switch line {
                case .blank: list.append("\(number) blank")
                case .document(let document): list.append("\(number) " + String(decoding: document.text, as: UTF8.self))
                case .malformed(let problem): list.append("\(number) " + problem.words)
                }
            }
            #expect(count == chunk.lineCount)
            return list
        }
        let bad = "the line is not valid JSON"
        #expect(try lines() == ["1 a", "2 blank", "3 blank", "4 \(bad)", "5 b", "6 the line is longer than 256 MiB"])
        // A byte-order mark counts at the start of a file only.
        chunk.isFirst = false
        #expect(try lines()[0] == "1 \(bad)")
    }
}
