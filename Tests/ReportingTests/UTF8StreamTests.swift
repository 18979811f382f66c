// UTF8StreamTests - bytes that arrive in any pieces come out as whole characters.

import Testing
import TestSupport

@testable import Reporting

@Suite struct UTF8StreamTests {
    private func text(_ pieces: [[UInt8]]) -> String {
        var stream = UTF8Stream()
        return pieces.map { stream.append($0) }.joined() + stream.finish()
    }

    /// The same scalars: Swift's comparison of strings is blind to some differences.
    private func expectSame(_ a: String, _ b: String, _ comment: Comment) {
        #expect(Array(a.unicodeScalars) == Array(b.unicodeScalars), comment)
    }

    @Test func aCharacterComesWithItsLastByte() {
        // U+1F600 in four bytes, and e with an acute accent in two.
        var stream = UTF8Stream()
        #expect(stream.append([0xF0]) == "")
        #expect(stream.append([0x9F]) == "")
        #expect(stream.append([0x98]) == "")
        #expect(stream.append([0x80]) == "\u{1F600}")
        #expect(stream.append([0x41, 0xC3]) == "A")
        #expect(stream.append([0xA9, 0x42]) == "\u{E9}B")
        #expect(stream.finish() == "")
    }

    @Test func plainBytesAreNotHeldBack() {
        var stream = UTF8Stream()
        for byte in UInt8(0)...127 { #expect(stream.append([byte]) == String(UnicodeScalar(byte))) }
        #expect(stream.append([]) == "")
    }

    @Test func everySplitOfAText() {
        let whole = "a\u{E9}\u{20AC}\u{1F600}\u{10FFFF}z \u{65E5}\u{672C}\u{800}\u{7FF}"
        let bytes = Array(whole.utf8)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let pieces = [Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])]
                expectSame(text(pieces), whole, "cut at \(first) and \(second)")
            }
        }
        expectSame(text(bytes.map { [$0] }), whole, "byte by byte")
    }

    @Test func anUnfinishedCharacterIsReplacedAtTheEnd() {
        expectSame(text([[0x41, 0xF0, 0x9F]]), "A\u{FFFD}", "three bytes are missing")
        var stream = UTF8Stream()
        _ = stream.append([0xC3])
        _ = stream.finish()
        #expect(stream.append([0x41]) == "A")
    }

    @Test func invalidBytesAreReplacedAsInTheWholeText() {
        let invalid: [[UInt8]] = [
            [0x80], [0xFF], [0xFE, 0x41], [0xC3, 0x41], [0xE2, 0x82, 0x41], [0xF0, 0x9F, 0x98, 0x41], [0xC0, 0x80],
            [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xE2, 0xE2, 0x82, 0xAC],
            [0x80, 0x80, 0x80, 0x80, 0x80], [0xC3, 0xC3, 0xA9],
        ]
        for bytes in invalid {
            for cut in 0...bytes.count {
                expectSame(
                    text([Array(bytes[..<cut]), Array(bytes[cut...])]), String(decoding: bytes, as: UTF8.self),
                    "\(bytes) cut at \(cut)")
            }
        }
    }

    @Test func randomBytesInRandomPieces() {
        // Mostly bytes that begin or continue characters, so that every kind of sequence occurs.
        let common: [UInt8] = [0x41, 0x80, 0x90, 0xA0, 0xBF, 0xC2, 0xC3, 0xE0, 0xE2, 0xED, 0xF0, 0xF4, 0xFF]
        var random = SeededGenerator(seed: 11)
        for _ in 0..<500 {
            let bytes = (0..<Int.random(in: 1...20, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? common[Int.random(in: 0..<common.count, using: &random)]
                    : UInt8(truncatingIfNeeded: random.next())
            }
            var pieces: [[UInt8]] = []
            var start = 0
            while start < bytes.count {
                let end = min(bytes.count, start + Int.random(in: 1...4, using: &random))
                pieces.append(Array(bytes[start..<end]))
                start = end
            }
            expectSame(text(pieces), String(decoding: bytes, as: UTF8.self), "\(pieces)")
        }
    }
}
