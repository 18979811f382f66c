// JSONQuotingTests - the bytes of quoted strings, for each kind of file.

import Foundation
import Testing

@testable import Reporting

@Suite struct JSONQuotingTests {
    private static let text = "a\"\\\n\r\t\u{1}\u{1F}\u{7F}\u{85}\u{E4}\u{2028}\u{FEFF}\u{FFFF}\u{1F600}"

    @Test(
        arguments: [
            (.controls, #""a\"\\\n\r\t\u0001\u001f"# + "\u{7F}\u{85}\u{E4}\u{2028}\u{FEFF}\u{FFFF}\u{1F600}\""),
            (.nonASCII, #""a\"\\\n\r\t\u0001\u001f\u007f\u0085\u00e4\u2028\ufeff\uffff\ud83d\ude00""#),
            (
                .yaml,
                #""a\"\\\u000A\u000D\u0009\u0001\u001F\u007F\u0085"# + "\u{E4}" + #"\u2028\uFEFF\uFFFF"# + "\u{1F600}\""
            ),
        ] as [(JSONEscapes, String)])
    func escapes(_ escapes: JSONEscapes, _ expected: String) {
        #expect(Array(JSONValue.quoted(Self.text, escaping: escapes).utf8) == Array(expected.utf8))
    }

    /// Every scalar below the surrogates and a sample above, read by Foundation.
    @Test(arguments: [JSONEscapes.controls, .nonASCII, .yaml]) func everyScalarReadsBack(_ escapes: JSONEscapes) throws
    {
        let values = Array(UInt32(0)..<0xD800) + [0xE000, 0xFFFD, 0x10000, 0x1F600, 0x10FFFF]
        let text = String(String.UnicodeScalarView(values.compactMap(Unicode.Scalar.init)))
        let quoted = JSONValue.quoted(text, escaping: escapes)
        let parsed = try JSONSerialization.jsonObject(with: Data(quoted.utf8), options: [.fragmentsAllowed])
        #expect((parsed as? String).map { Array($0.unicodeScalars) } == Array(text.unicodeScalars))
    }
}
