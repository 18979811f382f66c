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

    /// The documents between separators by their definition, for separators that overlap themselves too.
    @Test(arguments: ["|", "<>", "aba", "aa"]) func separatedDocumentsFollowTheDefinition(separator: String) throws {
        let mark = Array(separator.utf8)
        var random = SeededGenerator(seed: 5)
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        var longOnes = 0
        for _ in 0..<400 {
            let bytes = (0..<number(0...60)).flatMap { _ in
                number(0...4) == 0
                    ? mark : [[UInt8](separator.utf8)[0], UInt8(120)][number(0...1)...].prefix(1).map { $0 }
            }
            let size = number(1...9)
            let longest = size + number(0...12)
            var expected: [String] = []
            var start = 0
            while start < bytes.count {
                let found = (start..<bytes.count).first { bytes[$0...].starts(with: mark) }
                let piece = bytes[start..<(found ?? bytes.count)]
                let words =
                    piece.count > longest
                    ? "too long" : piece.isEmpty ? "blank" : String(decoding: piece, as: UTF8.self)
                expected.append("\(start / size) \(words)")
                start = found.map { $0 + mark.count } ?? bytes.count
            }
            longOnes += expected.count { $0.hasSuffix("too long") }
            var offset = 0
            let block = number(1...7)
            var source = LineChunks(size: size, longest: longest, separator: mark) {
                guard offset < bytes.count else { return nil }
                defer { offset += block }
                return Array(bytes[offset..<min(offset + block, bytes.count)])
            }
            var documents: [String] = []
            while let chunk = try source.next() {
                let count = try chunk.forEachLine { _, line in
                    let index = source.index - 1
                    switch line {
                    case .blank: documents.append("\(index) blank")
                    case .text(let text): documents.append("\(index) " + String(decoding: text, as: UTF8.self))
                    case .malformed(let problem):
                        #expect(problem == LineChunk.tooLongText)
                        documents.append("\(index) too long")
                    case .document: Issue.record("a text is no line of JSON")
                    }
                }
                #expect(count == chunk.lineCount)
            }
            #expect(documents == expected, "\(String(decoding: bytes, as: UTF8.self)) \(size) \(longest) \(block)")
        }
        #expect(longOnes > 20)
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
                case .text(let text): list.append("\(number) text " + String(decoding: text, as: UTF8.self))
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
