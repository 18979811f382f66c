// MemberSpans - the places of the members of a JSON object in its text, so that one value can be replaced.

internal import JSONReading

/// Where the members of a JSON object stand in its text.
struct MemberSpans {
    /// A member: its key as written between the quotes, and the bytes of key and value.
    struct Member {
        let key: [UInt8]
        /// From the key's opening quote on.
        let start: Int
        let value: Range<Int>
    }

    private(set) var members: [Member] = []

    /// - Parameter bytes: a whole JSON object. It has been read before, so it is well-formed.
    init(_ bytes: [UInt8]) {
        var scanner = Scanner(bytes: bytes)
        scanner.position = bytes.firstIndex(of: UInt8(ascii: "{")).map { $0 + 1 } ?? bytes.count
        while let member = scanner.member() { members.append(member) }
    }

    private struct Scanner {
        let bytes: [UInt8]
        var position = 0

        /// The next member; nil at the end of the object.
        mutating func member() -> Member? {
            skip { $0 == UInt8(ascii: ",") || Self.isBlank($0) }
            let start = position
            guard start < bytes.count, bytes[start] == UInt8(ascii: "\"") else { return nil }
            skipString()
            let key = Array(bytes[(start + 1)..<max(start + 1, position - 1)])
            skip { $0 == UInt8(ascii: ":") || Self.isBlank($0) }
            let first = position
            skipValue()
            return first < position ? Member(key: key, start: start, value: first..<position) : nil
        }

        private static func isBlank(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }

        private mutating func skip(while condition: (UInt8) -> Bool) {
            while position < bytes.count, condition(bytes[position]) { position += 1 }
        }

        /// Passes a string, from its opening quote to behind its closing one.
        private mutating func skipString() {
            position += 1
            while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
                position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
            }
            position = min(position + 1, bytes.count)
        }

        private mutating func skipValue() {
            var depth = 0
            while position < bytes.count {
                switch bytes[position] {
                case UInt8(ascii: "\""):
                    skipString()
                    continue
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    if depth == 0 { return }
                    depth -= 1
                case let byte where depth == 0 && (byte == UInt8(ascii: ",") || Self.isBlank(byte)): return
                default: break
                }
                position += 1
            }
        }
    }
}

extension MemberSpans {
    /// The text with other values for some keys. All else keeps its bytes.
    ///
    /// A key that is not there comes last, behind the same blanks as the last member.
    ///
    /// - Parameter values: by key.
    static func replacing(_ values: [(key: String, value: JSONTree)], in bytes: [UInt8]) -> [UInt8] {
        let members = MemberSpans(bytes).members
        guard let last = members.last else { return bytes }
        var edits: [(range: Range<Int>, bytes: [UInt8])] = []
        let blanks = bytes[..<last.start].suffix(while: { [0x20, 0x09, 0x0A, 0x0D].contains($0) })
        var added: [UInt8] = []
        for (key, value) in values {
            let text = Array(value.text.utf8.dropLast())
            if let member = members.first(where: { $0.key.elementsEqual(key.utf8) }) {
                edits.append((member.value, text))
            } else {
                added += [UInt8(ascii: ",")] + blanks + Array((JSONTree.quote(key) + ": ").utf8) + text
            }
        }
        edits.append((last.value.upperBound..<last.value.upperBound, added))
        var result = bytes
        // From the back, so that the places in front stay what they are. What is added begins behind the last value.
        for edit in edits.sorted(by: { $0.range.lowerBound > $1.range.lowerBound }) {
            result.replaceSubrange(edit.range, with: edit.bytes)
        }
        return result
    }
}

extension ArraySlice<UInt8> {
    /// The longest end of the bytes that satisfy a condition.
    fileprivate func suffix(while condition: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        self[((lastIndex { !condition($0) }).map { $0 + 1 } ?? startIndex)...]
    }
}
