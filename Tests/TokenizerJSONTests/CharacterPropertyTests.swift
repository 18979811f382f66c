// CharacterPropertyTests - properties of characters where versions of Unicode differ.

import Testing

@testable import TokenizerJSON

@Suite struct CharacterPropertyTests {
    /// The package tokenizers 0.23 says so of each.
    @Test(arguments: [
        (0x21, true), (0x24, true), (0x41, false), (0xA1, true), (0xA2, false),
        // Punctuation of Unicode 8, a symbol and a mark since.
        (0x166D, true), (0x111C9, true),
        // Punctuation since Unicode 9, 10 and 14.
        (0x2E43, false), (0x9FD, false), (0x61D, false),
    ])
    func punctuationIsThatOfUnicode8(code: UInt32, isPunctuation: Bool) {
        #expect(CharacterProperty.isPunctuation(code) == isPunctuation)
    }
}
