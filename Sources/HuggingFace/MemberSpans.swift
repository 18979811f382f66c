// MemberSpans - the places of an object's values in its JSON text, so that single values can be replaced.

internal import JSONReading

/// Where the values of a JSON object stand in its text.
struct MemberSpans {
    struct Member {
        /// UTF-8 of the key, without quotes and escapes.
        let key: [UInt8]
        /// The bytes of the value.
        let value: Range<Int>
    }

    /// In the order of the text.
    private(set) var members: [Member] = []

    /// - Parameter bytes: a JSON object. It has been read before; of a malformed one, the members before the fault count.
    init(_ bytes: [UInt8]) {
        var reader = JSONReader(bytes)
        try? read(&reader)
    }

    private mutating func read(_ reader: inout JSONReader) throws(JSONReader.Failure) {
        try reader.beginObject("the text")
        while let key = try reader.nextKey() {
            // It passes the blanks before the value.
            _ = try reader.peek()
            let start = reader.position
            try reader.skip()
            members.append(Member(key: key, value: start..<reader.position))
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
        let separation = separation(of: members, in: bytes)
        var added: [UInt8] = []
        for (key, value) in values {
            let text = Array(value.text.utf8.dropLast())
            if let member = members.first(where: { $0.key.elementsEqual(key.utf8) }) {
                edits.append((member.value, text))
            } else {
                added += [UInt8(ascii: ",")] + separation + Array((JSONTree.quote(key) + ": ").utf8) + text
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

    /// The blanks before the key of the last member.
    private static func separation(of members: [Member], in bytes: [UInt8]) -> ArraySlice<UInt8> {
        let gap = bytes[(members.dropLast().last?.value.upperBound ?? 0)...]
        let separator = UInt8(ascii: members.count == 1 ? "{" : ",")
        guard let end = gap.firstIndex(of: separator) else { preconditionFailure("nothing separates two members") }
        return gap[(end + 1)...].prefix { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
    }
}
