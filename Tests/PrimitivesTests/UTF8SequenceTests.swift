// UTF8SequenceTests - which bytes begin a well-formed character.

import Primitives
import Testing

@Suite struct UTF8SequenceTests {
    /// Every character, whole and cut, against Swift's own encoder.
    @Test func everyScalarHasItsLength() {
        var mistakes = 0
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let bytes = Array(scalar.utf8)
            mistakes += wellFormedUTF8Length(bytes, at: 0) == bytes.count ? 0 : 1
            if bytes.count > 1 { mistakes += wellFormedUTF8Length(Array(bytes.dropLast()), at: 0) == 0 ? 0 : 1 }
        }
        #expect(mistakes == 0)
    }

    /// Overlong, surrogate, beyond U+10FFFF, a continuation alone, a second or later byte that continues nothing.
    @Test(
        arguments: [
            [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0x80], [0xC3, 0x41], [0xE2, 0x82, 0x41],
            [0xF0, 0x9F, 0x41, 0x80], [0xF0, 0x9F, 0x98, 0xC0],
        ] as [[UInt8]])
    func othersHaveNone(bytes: [UInt8]) {
        #expect(wellFormedUTF8Length(bytes, at: 0) == 0)
        #expect(wellFormedUTF8Length([0x61] + bytes, at: 1) == 0)
    }
}
