// NormalizationFormTests - normal forms of Unicode, and characters that are newer than the version asked for.

import Testing

@testable import UnicodeText

@Suite struct NormalizationFormTests {
    private func normal(_ text: String, _ form: NormalizationForm, age: StaticString = "9.0") -> [UInt32]? {
        TextNormalizer(form, age: age).normalize(Array(text.utf8)[...]).map {
            String(decoding: $0, as: UTF8.self).unicodeScalars.map(\.value)
        }
    }

    /// Rows of UAX #15: an angstrom sign, a long s with a dot above and below, a ligature.
    @Test(
        arguments: [
            ("\u{212B}", [0xC5], [0x41, 0x30A], [0xC5], [0x41, 0x30A]),
            ("\u{1E9B}\u{323}", [0x1E9B, 0x323], [0x17F, 0x323, 0x307], [0x1E69], [0x73, 0x323, 0x307]),
            ("\u{FB01}", [0xFB01], [0xFB01], [0x66, 0x69], [0x66, 0x69]),
            ("a b", [97, 32, 98], [97, 32, 98], [97, 32, 98], [97, 32, 98]),
        ] as [(String, [UInt32], [UInt32], [UInt32], [UInt32])])
    func formsAreThoseOfTheStandard(text: String, nfc: [UInt32], nfd: [UInt32], nfkc: [UInt32], nfkd: [UInt32]) {
        for (form, expected) in [(NormalizationForm.nfc, nfc), (.nfd, nfd), (.nfkc, nfkc), (.nfkd, nfkd)] {
            #expect(normal(text, form) == expected, "\(form)")
        }
    }

    /// U+FDFA becomes 18 characters, more than the first guess of the result's size.
    @Test func aResultMayBeMuchLonger() {
        let count = 1000
        #expect(normal(String(repeating: "\u{FDFA}", count: count), .nfkd)?.count == 18 * count)
    }

    /// U+11938 of Unicode 13 is two characters in NFD.
    @Test func newerCharactersAreCopied() {
        #expect(normal("\u{11938}", .nfd) == [0x11938])
        #expect(normal("\u{11938}", .nfd, age: "13.0") == [0x11935, 0x11930])
    }
}
