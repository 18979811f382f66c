// JSONDocument - the text and domain of one JSON object, and a strict JSON reader.

internal import Foundation

/// A document: the text of a JSON object, and its domain `meta.pile_set_name`, as the Pile has it.
package struct JSONDocument: Equatable {
    /// The domain that the object names.
    package enum Domain: Equatable {
        case absent
        case named(String)
        /// An unusable name; the reason in words.
        case malformed(String)
    }

    /// UTF-8.
    package var text: [UInt8]
    package var domain: Domain

    /// The reason why a line is no document. There are few different `words`, so that lines can be counted by them.
    package struct Problem: Error, Equatable {
        package let words: String
        /// Location in the line and the offending character, appended to ``words``; empty if unknown.
        var location = ""
        init(_ words: String) { self.words = words }

        /// Words and location, for messages about one line.
        package var description: String { words + location }

        /// Problems are equal if their words are. Locations differ from line to line.
        package static func == (a: Problem, b: Problem) -> Bool { a.words == b.words }

        static let notUTF8 = Problem("the line is not valid UTF-8")

        /// ``notUTF8`` with the first invalid byte and its column in characters, from 1, as editors count.
        static func invalidUTF8(_ byte: UInt8, column: Int) -> Problem {
            var problem = notUTF8
            let digits = String(byte, radix: 16, uppercase: true)
            problem.location = ": byte 0x\(digits) at column \(column)"
            return problem
        }

        /// ``notUTF16`` with the column of the first broken unit in characters, from 1.
        static func invalidUTF16(column: Int) -> Problem {
            var problem = notUTF16
            problem.location = ": a broken unit at column \(column)"
            return problem
        }

        static let zeroByte = Problem("the line is not valid JSON: it holds a zero byte")
        static let notJSON = Problem("the line is not valid JSON")
        static let notUTF16 = Problem("the line is not valid UTF-16")
        static let halfPair = halfPair("text")
        static let tooDeep = Problem("the line is nested more than \(Scanner.deepest) deep")
        static let noObject = Problem("the line is no JSON object")
        static let noText = noText("text")
        static let twoTexts = twoTexts("text")
        static let notText = notText("text")
        static let nullText = nullText("text")

        static func halfPair(_ key: String) -> Problem {
            Problem("the line is not valid JSON: \"\(key)\" holds half a surrogate pair")
        }
        static func noText(_ key: String) -> Problem { Problem("the object has no \"\(key)\"") }
        static func twoTexts(_ key: String) -> Problem { Problem("the object has two \"\(key)\"") }
        static func notText(_ key: String) -> Problem { Problem("\"\(key)\" is not a string") }
        static func nullText(_ key: String) -> Problem { Problem("\"\(key)\" is null") }
    }

    /// Reads one JSON object (RFC 8259). All of the line must be valid, unused members too.
    ///
    /// - Parameter reading: key of the text, and the encoding that the line had.
    /// - Throws: ``Problem``.
    init(line: [UInt8], reading: TextReading = TextReading()) throws(Problem) {
        guard String(validating: line, as: UTF8.self) != nil else {
            let offset = InvalidUTF8(in: line).offset
            let column = line[..<offset].count { $0 & 0xC0 != 0x80 } + 1
            guard reading.encoding != .utf16 else { throw .invalidUTF16(column: column) }
            throw .invalidUTF8(line[offset], column: column)
        }
        var scanner = Scanner(bytes: line)
        var domain = Domain.absent
        var texts = FoundTexts(reading.textKey)
        scanner.skipBlanks()
        guard scanner.next == UInt8(ascii: "{") else {
            _ = try scanner.value(depth: 0)
            try scanner.end()
            throw .noObject
        }
        try scanner.object(depth: 0) { key, scanner throws(Problem) in
            let before = scanner
            if try texts.take(key, &scanner) {
                // A key may be part of the text's path and of the domain's.
                guard key == "meta" else { return }
                scanner = before
            }
            guard key == "meta" else {
                _ = try scanner.value(depth: 1)
                return
            }
            let found = try Self.domain(&scanner)
            domain = domain == .absent ? found : .malformed("the object has two \"meta\"")
        }
        try scanner.end()
        self.text = try texts.text()
        self.domain = domain
    }

    /// The value of `meta`.
    private static func domain(_ scanner: inout Scanner) throws(Problem) -> Domain {
        guard scanner.next == UInt8(ascii: "{") else {
            return try scanner.value(depth: 1) == .null ? .absent : .malformed("\"meta\" is no object")
        }
        var domain = Domain.absent
        try scanner.object(depth: 1) { key, scanner throws(Problem) in
            let value = try scanner.value(depth: 2)
            guard key == "pile_set_name" else { return }
            if domain != .absent {
                domain = .malformed("\"meta\" has two \"pile_set_name\"")
            } else if case .string(let bytes) = value, !bytes.isEmpty {
                // Canonically equivalent spellings are one name.
                domain = .named(String(decoding: bytes, as: UTF8.self).precomposedStringWithCanonicalMapping)
            } else if value != .null {
                domain = .malformed("\"meta.pile_set_name\" is no name")
            }
        }
        return domain
    }
}

/// The values that the key of the text has in an object, as a literal key and as a path such as `a.b`.
private struct FoundTexts {
    private let key: String
    /// The parts of `key` between its points; empty for a key without a point.
    private let path: [Substring]
    private var literal: [Scanner.Value] = []
    private var nested: [Scanner.Value] = []

    init(_ key: String) {
        self.key = key
        path = key.contains(".") ? key.split(separator: ".", omittingEmptySubsequences: false) : []
    }

    /// Reads the value of `name`, a key of the outermost object, if it is the text's or leads to it.
    ///
    /// - Returns: whether the value was read.
    mutating func take(_ name: String, _ scanner: inout Scanner) throws(JSONDocument.Problem) -> Bool {
        if name == key {
            literal.append(try scanner.value(depth: 1))
        } else if let first = path.first, name == first {
            try descend(path.dropFirst(), &scanner, depth: 1)
        } else {
            return false
        }
        return true
    }

    /// Reads a value, and finds the text at the end of `path` in it.
    private mutating func descend(
        _ path: ArraySlice<Substring>, _ scanner: inout Scanner, depth: Int
    ) throws(JSONDocument.Problem) {
        guard let first = path.first else {
            nested.append(try scanner.value(depth: depth))
            return
        }
        guard scanner.next == UInt8(ascii: "{"), depth <= Scanner.deepest else {
            // A null in the middle is a text that is null, as in a table.
            if try scanner.value(depth: depth) == .null { nested.append(.null) }
            return
        }
        try scanner.object(depth: depth) { name, scanner throws(JSONDocument.Problem) in
            if name == first {
                try descend(path.dropFirst(), &scanner, depth: depth + 1)
            } else {
                _ = try scanner.value(depth: depth + 1)
            }
        }
    }

    /// The text. A literal key comes before a path.
    func text() throws(JSONDocument.Problem) -> [UInt8] {
        let found = literal.isEmpty ? nested : literal
        guard found.count <= 1 else { throw .twoTexts(key) }
        switch found.first {
        case .string(let bytes): return bytes
        case .halfPair: throw .halfPair(key)
        case .null: throw .nullText(key)
        case .other: throw .notText(key)
        case nil: throw .noText(key)
        }
    }
}

/// The first key that a JSON object repeats, with escapes resolved; nil if it repeats none, or the line is no object.
///
/// Why: decoders silently take one of the two values.
public func repeatedKey(ofObject line: [UInt8]) -> String? {
    var scanner = Scanner(bytes: line)
    scanner.skipBlanks()
    guard scanner.next == UInt8(ascii: "{") else { return nil }
    var (keys, repeated): (Set<String>, String?) = ([], nil)
    do {
        try scanner.object(depth: 0) { key, scanner throws(JSONDocument.Problem) in
            if !keys.insert(key).inserted, repeated == nil { repeated = key }
            _ = try scanner.value(depth: 1)
        }
    } catch {
        // The decoder of the line reports its mistakes.
        return nil
    }
    return repeated
}

/// Location where a line stops being JSON, to be appended to a message: `: NaN at column 25`. Empty for valid JSON.
public func locationOfMalformedJSON(in line: [UInt8]) -> String {
    var scanner = Scanner(bytes: line)
    do {
        _ = try scanner.value(depth: 0)
        try scanner.end()
    } catch {
        return error.location
    }
    return ""
}

/// A strict reader of JSON (RFC 8259) in bytes that are known to be UTF-8.
///
/// Why not `JSONReader`: a document may be nested deeper than 16 levels, and an error names the column of its line.
private struct Scanner {
    /// Deepest nesting, a limit because each level uses stack.
    static let deepest = 512

    enum Value: Equatable {
        case string([UInt8])
        /// A string with half a surrogate pair, which UTF-8 cannot encode.
        case halfPair
        case null
        case other
    }

    private let bytes: [UInt8]
    private var offset = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// The byte at ``offset``; nil at the end.
    var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A { offset += 1 }
    }

    /// Checks that nothing but blanks follows.
    mutating func end() throws(JSONDocument.Problem) {
        skipBlanks()
        guard offset == bytes.count else { throw notJSON }
    }

    /// The error at ``offset``. A zero byte has words of its own, since most editors do not show it.
    private var notJSON: JSONDocument.Problem {
        var problem = JSONDocument.Problem.notJSON
        if let zero = bytes.firstIndex(of: 0) {
            problem = .zeroByte
            problem.location = " at column \(column(of: zero))"
        } else if offset >= bytes.count {
            problem.location = ": it ends too early"
        } else {
            // Python and JavaScript write these numbers, and JSON has none of them.
            let words = ["NaN", "Infinity"].filter { bytes[offset...].starts(with: Array($0.utf8)) }
            problem.location = ": " + (words.map { $0 + " " }.first ?? "") + "at column \(column(of: offset))"
        }
        return problem
    }

    /// Column of the byte at `index` in characters, from 1, as editors count.
    private func column(of index: Int) -> Int { bytes[..<index].count { $0 & 0xC0 != 0x80 } + 1 }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    /// Reads an object whose `{` is next. `member` gets each key and must read its value.
    mutating func object(
        depth: Int, _ member: (_ key: String, _ scanner: inout Scanner) throws(JSONDocument.Problem) -> Void
    ) throws(JSONDocument.Problem) {
        offset += 1
        skipBlanks()
        if take("}") { return }
        repeat {
            skipBlanks()
            guard next == UInt8(ascii: "\"") else { throw notJSON }
            // A key with half a surrogate pair equals no key of interest.
            let key: [UInt8] = if case .string(let bytes) = try string() { bytes } else { [] }
            skipBlanks()
            guard take(":") else { throw notJSON }
            skipBlanks()
            try member(String(decoding: key, as: UTF8.self), &self)
            skipBlanks()
        } while take(",")
        guard take("}") else { throw notJSON }
    }

    /// Reads any value.
    mutating func value(depth: Int) throws(JSONDocument.Problem) -> Value {
        guard depth <= Self.deepest else { throw .tooDeep }
        skipBlanks()
        switch next {
        case UInt8(ascii: "\""): return try string()
        case UInt8(ascii: "{"):
            try object(depth: depth) { _, scanner throws(JSONDocument.Problem) in
                _ = try scanner.value(depth: depth + 1)
            }
        case UInt8(ascii: "["): try array(depth: depth)
        case UInt8(ascii: "n"):
            try word("null")
            return .null
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        default: try number()
        }
        return .other
    }

    private mutating func array(depth: Int) throws(JSONDocument.Problem) {
        offset += 1
        skipBlanks()
        if take("]") { return }
        repeat {
            _ = try value(depth: depth + 1)
            skipBlanks()
        } while take(",")
        guard take("]") else { throw notJSON }
    }

    private mutating func word(_ word: StaticString) throws(JSONDocument.Problem) {
        for byte in word.description.utf8 {
            guard next == byte else { throw notJSON }
            offset += 1
        }
    }

    private mutating func number() throws(JSONDocument.Problem) {
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") { try digits() }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try digits()
        }
    }

    private mutating func digits() throws(JSONDocument.Problem) {
        let start = offset
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { offset += 1 }
        guard offset > start else { throw notJSON }
    }

    /// Reads a string whose opening quote is next.
    private mutating func string() throws(JSONDocument.Problem) -> Value {
        offset += 1
        var result: [UInt8] = []
        var hasHalfPair = false
        while true {
            let start = offset
            while let byte = next, byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                offset += 1
            }
            result.append(contentsOf: bytes[start..<offset])
            if take("\"") { return hasHalfPair ? .halfPair : .string(result) }
            guard take("\\") else { throw notJSON }
            if let scalar = try escape() {
                result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            } else {
                hasHalfPair = true
            }
        }
    }

    /// The character of an escape, read after its backslash; nil for half a surrogate pair.
    private mutating func escape() throws(JSONDocument.Problem) -> Unicode.Scalar? {
        guard let letter = next else { throw notJSON }
        offset += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(letter)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw notJSON
        }
        let first = try hexadecimal()
        guard first >= 0xD800, first < 0xE000 else { return Unicode.Scalar(first) }
        let afterFirst = offset
        if first < 0xDC00, take("\\"), take("u") {
            let second = try hexadecimal()
            if second >= 0xDC00, second < 0xE000 {
                return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            }
        }
        // The following bytes are an escape of their own.
        offset = afterFirst
        return nil
    }

    private mutating func hexadecimal() throws(JSONDocument.Problem) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next else { throw notJSON }
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(byte - UInt8(ascii: "0"))
            // 0x20 is the bit that distinguishes small letters from capitals.
            case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
                value = value << 4 | UInt32((byte | 0x20) - UInt8(ascii: "a") + 10)
            default: throw notJSON
            }
            offset += 1
        }
        return value
    }
}
