// BytesOfTokens - a text is put together from the bytes of its tokens, and counted by them.

import Testing
import Tokenizers

/// Checks that `text` is the bytes of its tokens one by one, and that counts of bytes are exact wherever a run is cut.
func expectBytesOfTokens(of text: [UInt8], by tokenizer: any Tokenizer) throws {
    let (ids, end) = (try tokenizer.encode(text), tokenizer.endToken)
    var (made, previous): ([UInt8], Int32) = ([], end)
    for id in ids + [end] {
        made += tokenizer.bytes(of: id, after: previous)
        previous = id
    }
    #expect(made == text)
    #expect(tokenizer.byteCount(of: ids + [end], after: end) == text.count)
    // Two documents, and one that is cut anywhere, also in the middle of a character spelled in bytes.
    #expect(tokenizer.byteCount(of: ids + [end] + ids, after: end) == 2 * text.count)
    for cut in ids.indices.dropFirst() {
        let parts = [Array(ids[..<cut]), Array(ids[cut...])]
        let counts = [
            tokenizer.byteCount(of: parts[0], after: end), tokenizer.byteCount(of: parts[1], after: ids[cut - 1]),
        ]
        #expect(counts[0] + counts[1] == text.count, "cut at \(cut)")
    }
}
