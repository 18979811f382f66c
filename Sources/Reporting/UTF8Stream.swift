// UTF8Stream - text from bytes that arrive in pieces, which may end within a character.

/// Turns bytes that arrive in pieces into whole characters.
package struct UTF8Stream {
    private var pending: [UInt8] = []

    package init() {}

    /// The characters that are complete after `bytes`. Bytes that cannot become a character are replaced by U+FFFD.
    package mutating func append(_ bytes: [UInt8]) -> String {
        pending += bytes
        // A character has at most four bytes: a longer wait means that the bytes are no UTF-8.
        let incomplete = pending.suffix(3).lastIndex { $0 >= 0xC0 }.map { index -> Int in
            let lead = pending[index]
            let length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2
            return pending.count - index < length ? pending.count - index : 0
        }
        let kept = incomplete ?? 0
        let text = String(decoding: pending.dropLast(kept), as: UTF8.self)
        pending = Array(pending.suffix(kept))
        return text
    }

    package mutating func finish() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }
}
