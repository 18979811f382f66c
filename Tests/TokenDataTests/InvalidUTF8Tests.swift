// InvalidUTF8Tests - which bytes are no UTF-8, by hand and by the library that replaces them.

import SentencePieceText
import TestSupport
import Testing

@testable import TokenData

@Suite struct InvalidUTF8Tests {
    @Test(
        arguments: [
            ([], 0), ([0x41, 0, 0x7F], 0), ([0xC3, 0xB6], 0), ([0xE2, 0x82, 0xAC], 0), ([0xF0, 0x9F, 0x98, 0x80], 0),
            ([0xED, 0x9F, 0xBF, 0xEE, 0x80, 0x80, 0xF4, 0x8F, 0xBF, 0xBF, 0xEF, 0xBF, 0xBD], 0),
            // Alone, cut short, too long, surrogates, beyond Unicode, and bytes that never occur.
            ([0x80], 1), ([0xC3], 1), ([0xE2, 0x82], 2), ([0xF0, 0x9F, 0x98], 3), ([0xC0, 0x80], 2),
            ([0xE0, 0x80, 0x80], 3),
            ([0xF0, 0x80, 0x80, 0x80], 4), ([0xED, 0xA0, 0x80], 3), ([0xF4, 0x90, 0x80, 0x80], 4), ([0xFF, 0xFE], 2),
            ([0xE2, 0x41, 0xC3, 0xB6], 1), ([0xE2, 0xC3, 0xB6], 1),
        ] as [([UInt8], Int)])
    func bytesAreCounted(text: [UInt8], count: Int) {
        #expect(InvalidUTF8(in: text).count == count && InvalidUTF8(in: text).isEmpty == (count == 0))
    }

    @Test func theFirstHasAPlace() {
        let found = InvalidUTF8(in: Array("a\nb\n\u{F6}".utf8) + [0xF6, 0x0A, 0xFC])
        #expect(found.count == 2 && found.offset == 6 && found.line == 3)
        #expect(found.words == "2 bytes are not valid UTF-8, the first at byte 6")
        #expect(InvalidUTF8(in: [0xFF]).words == "1 byte is not valid UTF-8, the first at byte 0")
    }

    /// The library writes one U+FFFD for each such byte.
    @Test func theLibraryReplacesAsMany() throws {
        let processor = try SentencePieceProcessor(modelBytes: HandmadeModel().bytes)
        var random = SeededGenerator(seed: 4)
        let pieces: [[UInt8]] = [[0x41], [0xC3, 0xB6], [0xE2, 0x82, 0xAC], [0xF0, 0x9F, 0x98, 0x80]]
        for _ in 0..<500 {
            var text = (0..<8).flatMap { _ in pieces[Int.random(in: 0..<4, using: &random)] }
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                text[Int.random(in: text.indices, using: &random)] = UInt8.random(in: 0x21...255, using: &random)
            }
            let decoded = String(decoding: try processor.decode(processor.encode(text)), as: UTF8.self)
            let replaced = decoded.unicodeScalars.count { $0 == "\u{FFFD}" }
            #expect(InvalidUTF8(in: text).count == replaced, "\(text)")
        }
    }
}
