// SHA256Tests - the examples of FIPS 180-4, and pieces of any size.

import Digests
import Testing

@Suite struct SHA256Tests {
    private static let examples = [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ]

    @Test(arguments: examples) func examplesOfTheStandard(text: String, digest: String) {
        #expect(hexadecimalDigits(of: SHA256.hash(data: Array(text.utf8))) == digest)
    }

    /// A million times `a`, in pieces that do not fit the blocks of 64 bytes.
    @Test(arguments: [1, 63, 64, 65, 999, 1_000_000]) func piecesOfAnySize(size: Int) {
        let hasher = SHA256()
        var left = 1_000_000
        while left > 0 {
            hasher.update(data: [UInt8](repeating: UInt8(ascii: "a"), count: min(size, left)))
            left -= min(size, left)
        }
        #expect(
            hexadecimalDigits(of: hasher.finalize())
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }
}
