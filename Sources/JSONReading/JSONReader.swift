// JSONReader - reads JSON value by value from untrusted bytes, in bounded memory.

/// Reads one JSON text (RFC 8259) front to back.
///
/// The caller says which type it expects next. Nesting is bounded. Only the caller keeps values.
///
/// Why not Foundation's decoder: it silently takes the last of two equal keys, and builds the whole tree first.
package struct JSONReader {
    /// Deepest nesting of objects and arrays that is read. A `config.json` and a safetensors header need three levels.
    package static let maximumDepth = 16

    /// A text that is no JSON, or other JSON than was expected.
    package struct Failure: Error, Equatable {
        package enum Kind: Sendable, Equatable {
            case malformed
            case tooDeep
            case wrongType
        }
        package let kind: Kind
        package let message: String
    }

    /// The type of a JSON value; raw values are words for messages.
    package enum ValueType: String, Sendable {
        case object = "an object"
        case array = "an array"
        case string = "a string"
        case number = "a number"
        case boolean = "true or false"
        case null = "null"
    }

    private let bytes: [UInt8]
    /// Bytes that have been read.
    package private(set) var position = 0
    /// For each open object or array, whether it has had no member yet.
    private var isFirst: [Bool] = []

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The type of the next value, judged by its first character.
    package mutating func peek() throws(Failure) -> ValueType {
        skipBlanks()
        guard position < bytes.count else { throw malformed("the text ends where a value should begin") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw malformed(wordThatIsNone ?? "no value begins")
        }
    }

    /// The message for NaN and Infinity, which Python writes and JSON does not have; nil for anything else.
    private var wordThatIsNone: String? {
        let rest = bytes[position...]
        guard let word = ["NaN", "Infinity", "-Infinity"].first(where: { rest.starts(with: Array($0.utf8)) }) else {
            return nil
        }
        return "\(word) is no JSON value; write null or a number"
    }

    // MARK: - Objects and arrays

    /// Enters an object. ``nextKey()`` gives its keys.
    package mutating func beginObject(_ what: String) throws(Failure) {
        try require(.object, what)
        try descend()
    }

    /// The UTF-8 of the next key, whose value must be read next; nil at the end of the object.
    ///
    /// Keys that come twice are the caller's to notice.
    package mutating func nextKey() throws(Failure) -> [UInt8]? {
        var key: [UInt8] = []
        return try nextKey(into: &key) ? key : nil
    }

    /// Appends the UTF-8 of the next key to `target`; false at the end of the object.
    package mutating func nextKey(into target: inout [UInt8]) throws(Failure) -> Bool {
        guard try hasNext(UInt8(ascii: "}"), "an object does not end") else { return false }
        guard try peek() == .string else { throw malformed("a key must be a string") }
        try text(into: &target)
        guard take(UInt8(ascii: ":")) else { throw malformed("a colon is missing after a key") }
        return true
    }

    /// Enters an array. ``nextElement()`` leads to its elements.
    package mutating func beginArray(_ what: String) throws(Failure) {
        try require(.array, what)
        try descend()
    }

    /// Whether the array has another element, which must be read next.
    package mutating func nextElement() throws(Failure) -> Bool {
        try hasNext(UInt8(ascii: "]"), "an array does not end")
    }

    /// Goes to the next member of the innermost object or array; false, leaving it, at its end.
    private mutating func hasNext(_ end: UInt8, _ problem: String) throws(Failure) -> Bool {
        guard let first = isFirst.last else { preconditionFailure("no object or array is open") }
        if first {
            isFirst[isFirst.count - 1] = false
            guard take(end) else { return true }
        } else {
            if take(UInt8(ascii: ",")) { return true }
            guard take(end) else { throw malformed(problem) }
        }
        isFirst.removeLast()
        return false
    }

    private mutating func descend() throws(Failure) {
        position += 1
        isFirst.append(true)
        guard isFirst.count <= Self.maximumDepth else {
            throw Failure(
                kind: .tooDeep,
                message: "the JSON is nested more deeply than \(Self.maximumDepth) levels, which no such file needs")
        }
    }

    // MARK: - Values

    package mutating func string(_ what: String) throws(Failure) -> String {
        var content: [UInt8] = []
        try string(what, into: &content)
        return String(decoding: content, as: UTF8.self)
    }

    /// Appends the UTF-8 of a string to `target`.
    package mutating func string(_ what: String, into target: inout [UInt8]) throws(Failure) {
        try require(.string, what)
        try text(into: &target)
    }

    package mutating func boolean(_ what: String) throws(Failure) -> Bool {
        try require(.boolean, what)
        if take(word: "true") { return true }
        if take(word: "false") { return false }
        throw malformed("no value begins")
    }

    package mutating func null(_ what: String) throws(Failure) {
        try require(.null, what)
        guard take(word: "null") else { throw malformed("no value begins") }
    }

    /// Reads a number and returns its text, so that no digit is lost.
    package mutating func number(_ what: String) throws(Failure) -> String {
        try require(.number, what)
        let start = position
        if let problem = wordThatIsNone { throw malformed(problem) }
        if position < bytes.count, bytes[position] == UInt8(ascii: "-") { position += 1 }
        if position < bytes.count, bytes[position] == UInt8(ascii: "0") {
            position += 1
        } else {
            try digits()
        }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// Reads a whole number from 0 to 2^63 - 1; nil for any other number.
    package mutating func size(_ what: String) throws(Failure) -> Int? {
        let digits = try number(what)
        guard let size = Int(digits), size >= 0, digits != "-0" else { return nil }
        return size
    }

    /// Reads and checks any value, and keeps nothing of it.
    package mutating func skip() throws(Failure) {
        switch try peek() {
        case .object:
            try beginObject("")
            while try nextKey() != nil { try skip() }
        case .array:
            try beginArray("")
            while try nextElement() { try skip() }
        case .string: _ = try string("")
        case .number: _ = try number("")
        case .boolean: _ = try boolean("")
        case .null: try null("")
        }
    }

    /// Checks that nothing but blanks follows.
    package mutating func finish() throws(Failure) {
        skipBlanks()
        guard position == bytes.count else { throw malformed("something follows the end of the JSON") }
    }

    // MARK: - Pieces

    /// The failure of malformed JSON at the present position.
    package func malformed(_ problem: String) -> Failure {
        Failure(kind: .malformed, message: "byte \(position) of the JSON\(lineAndColumn): \(problem)")
    }

    /// Line and column, counted from 1, as editors show them; empty for a text of one line.
    private var lineAndColumn: String {
        let lineFeed = UInt8(ascii: "\n")
        guard bytes.contains(lineFeed) else { return "" }
        let before = bytes[..<position]
        let start = before.lastIndex(of: lineFeed).map { $0 + 1 } ?? 0
        let column = String(decoding: before[start...], as: UTF8.self).unicodeScalars.count + 1
        return " (line \(before.count { $0 == lineFeed } + 1), column \(column))"
    }

    /// Checks the type of the next value.
    ///
    /// A value of another type is read first. Why: malformed or too deep JSON is the better error.
    private mutating func require(_ type: ValueType, _ what: String) throws(Failure) {
        let found = try peek()
        guard found != type else { return }
        try skip()
        throw Failure(kind: .wrongType, message: "\(what) is \(found.rawValue); it must be \(type.rawValue)")
    }

    private mutating func skipBlanks() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    /// Takes `character` if it comes next, after blanks.
    private mutating func take(_ character: UInt8) -> Bool {
        skipBlanks()
        guard position < bytes.count, bytes[position] == character else { return false }
        position += 1
        return true
    }

    private mutating func take(word: StaticString) -> Bool {
        let letters = Array(word.description.utf8)
        guard bytes.count - position >= letters.count,
            bytes[position..<position + letters.count].elementsEqual(letters)
        else { return false }
        position += letters.count
        return true
    }

    private mutating func digits() throws(Failure) {
        let start = position
        while position < bytes.count, UInt8(ascii: "0") <= bytes[position], bytes[position] <= UInt8(ascii: "9") {
            position += 1
        }
        if position == start { throw malformed("a digit is missing in a number") }
    }

    /// Reads a string whose quote comes next, and appends its UTF-8 to `target`.
    private mutating func text(into target: inout [UInt8]) throws(Failure) {
        position += 1
        let start = target.count
        var isASCII = true
        while position < bytes.count {
            let run = position
            // Most strings are one run.
            while position < bytes.count {
                let byte = bytes[position]
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 { break }
                if byte >= 0x80 { isASCII = false }
                position += 1
            }
            target += bytes[run..<position]
            guard position < bytes.count else { break }
            switch bytes[position] {
            case UInt8(ascii: "\""):
                guard isASCII || String(validating: target[start...], as: UTF8.self) != nil else {
                    throw malformed("a string is not UTF-8")
                }
                position += 1
                return
            case UInt8(ascii: "\\"): target += try escape()
            default: throw malformed("a string holds a control character")
            }
        }
        throw malformed("a string does not end")
    }

    /// Reads an escape whose backslash comes next.
    private mutating func escape() throws(Failure) -> [UInt8] {
        position += 1
        guard position < bytes.count else { throw malformed("a string does not end") }
        let letter = bytes[position]
        position += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [letter]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): break
        default: throw malformed("a string holds an unknown escape")
        }
        var code = try fourHexadecimalDigits()
        if (0xD800..<0xDC00).contains(code), bytes[position...].starts(with: Array("\\u".utf8)) {
            position += 2
            let low = try fourHexadecimalDigits()
            guard (0xDC00..<0xE000).contains(low) else { throw malformed("a string holds half a surrogate pair") }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw malformed("a string holds half a surrogate pair") }
        return Array(String(Character(scalar)).utf8)
    }

    private mutating func fourHexadecimalDigits() throws(Failure) -> UInt32 {
        guard bytes.count - position >= 4 else { throw malformed("a string does not end") }
        let text = String(decoding: bytes[position..<position + 4], as: UTF8.self)
        guard text.utf8.allSatisfy({ UInt8(ascii: "0") <= $0 && Character(Unicode.Scalar($0)).isHexDigit }),
            let code = UInt32(text, radix: 16)
        else { throw malformed("an escape lacks its four hexadecimal digits") }
        position += 4
        return code
    }
}
