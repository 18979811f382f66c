// JSONScanner - reads JSON value by value from untrusted bytes, in bounded memory.

/// Reads one JSON text (RFC 8259) front to back.
///
/// The caller says which type it expects next. Nesting is bounded, and a key twice in an object is an error. Only the
/// caller keeps values.
///
/// Why not Foundation's decoder: it silently takes the last of two equal keys, and builds the whole tree first.
struct JSONScanner {
    /// Deepest nesting of objects and arrays that is read. A `config.json` and a safetensors header need three levels.
    static let maximumDepth = 16

    private let bytes: [UInt8]
    private let file: String
    private var position = 0
    private var depth = 0

    init(_ bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    /// The type of a JSON value; raw values are words for messages.
    enum ValueType: String {
        case object = "an object"
        case array = "an array"
        case string = "a string"
        case number = "a number"
        case boolean = "true or false"
        case null = "null"
    }

    /// The type of the next value, judged by its first character.
    mutating func peek() throws(HuggingFaceError) -> ValueType {
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

    /// Reads an object: `body` gets each key and must read its value.
    ///
    /// - Parameters:
    ///   - what: the object's name in messages.
    ///   - repeated: the error of a key that comes twice.
    mutating func object(
        _ what: String, repeated: HuggingFaceError.Kind = .duplicateKey,
        _ body: (_ scanner: inout JSONScanner, _ key: String) throws(HuggingFaceError) -> Void
    ) throws(HuggingFaceError) {
        try require(.object, what)
        try descend()
        if try take(UInt8(ascii: "}")) { return depth -= 1 }
        // UTF-8, because Swift holds strings for equal that differ only in how their accents are composed.
        var keys: Set<[UInt8]> = []
        repeat {
            guard try peek() == .string else { throw malformed("a key must be a string") }
            let key = try text()
            guard keys.insert(Array(key.utf8)).inserted else {
                throw HuggingFaceError(repeated, file: file, "\(what) has the key \(quoted(key)) twice")
            }
            guard try take(UInt8(ascii: ":")) else { throw malformed("a colon is missing after a key") }
            try body(&self, key)
        } while try take(UInt8(ascii: ","))
        guard try take(UInt8(ascii: "}")) else { throw malformed("an object does not end") }
        depth -= 1
    }

    /// Reads an array: `body` must read each element.
    mutating func array(
        _ what: String, _ body: (_ scanner: inout JSONScanner) throws(HuggingFaceError) -> Void
    ) throws(HuggingFaceError) {
        try require(.array, what)
        try descend()
        if try take(UInt8(ascii: "]")) { return depth -= 1 }
        repeat { try body(&self) } while try take(UInt8(ascii: ","))
        guard try take(UInt8(ascii: "]")) else { throw malformed("an array does not end") }
        depth -= 1
    }

    mutating func string(_ what: String) throws(HuggingFaceError) -> String {
        try require(.string, what)
        return try text()
    }

    mutating func boolean(_ what: String) throws(HuggingFaceError) -> Bool {
        try require(.boolean, what)
        if take(word: "true") { return true }
        if take(word: "false") { return false }
        throw malformed("no value begins")
    }

    mutating func null(_ what: String) throws(HuggingFaceError) {
        try require(.null, what)
        guard take(word: "null") else { throw malformed("no value begins") }
    }

    /// Reads a number and returns its text, so that no digit is lost.
    mutating func number(_ what: String) throws(HuggingFaceError) -> String {
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
    mutating func size(_ what: String) throws(HuggingFaceError) -> Int? {
        let digits = try number(what)
        guard let size = Int(digits), size >= 0, digits != "-0" else { return nil }
        return size
    }

    /// Reads and checks any value, and keeps nothing of it.
    mutating func skip() throws(HuggingFaceError) {
        switch try peek() {
        case .object: try object("an object") { scanner, _ throws(HuggingFaceError) in try scanner.skip() }
        case .array: try array("an array") { scanner throws(HuggingFaceError) in try scanner.skip() }
        case .string: _ = try text()
        case .number: _ = try number("")
        case .boolean: _ = try boolean("")
        case .null: try null("")
        }
    }

    /// Checks that nothing but blanks follows.
    mutating func finish() throws(HuggingFaceError) {
        skipBlanks()
        guard position == bytes.count else { throw malformed("something follows the end of the JSON") }
    }

    // MARK: - Pieces

    private func malformed(_ problem: String) -> HuggingFaceError {
        HuggingFaceError(.malformedJSON, file: file, "byte \(position) of the JSON\(lineAndColumn): \(problem)")
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
    private mutating func require(_ type: ValueType, _ what: String) throws(HuggingFaceError) {
        let found = try peek()
        guard found != type else { return }
        try skip()
        throw HuggingFaceError(.wrongType, file: file, "\(what) is \(found.rawValue); it must be \(type.rawValue)")
    }

    /// Enters an object or array.
    private mutating func descend() throws(HuggingFaceError) {
        position += 1
        depth += 1
        guard depth <= Self.maximumDepth else {
            throw HuggingFaceError(
                .tooDeep, file: file,
                "the JSON is nested more deeply than \(Self.maximumDepth) levels, which no such file needs")
        }
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
    private mutating func take(_ character: UInt8) throws(HuggingFaceError) -> Bool {
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

    private mutating func digits() throws(HuggingFaceError) {
        let start = position
        while position < bytes.count, UInt8(ascii: "0") <= bytes[position], bytes[position] <= UInt8(ascii: "9") {
            position += 1
        }
        if position == start { throw malformed("a digit is missing in a number") }
    }

    /// Reads a string whose quote comes next.
    private mutating func text() throws(HuggingFaceError) -> String {
        position += 1
        var content: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw malformed("a string is not UTF-8")
                }
                position += 1
                return text
            case UInt8(ascii: "\\"):
                content += try escape()
            case 0..<0x20:
                throw malformed("a string holds a control character")
            default:
                content.append(byte)
                position += 1
            }
        }
        throw malformed("a string does not end")
    }

    /// Reads an escape whose backslash comes next.
    private mutating func escape() throws(HuggingFaceError) -> [UInt8] {
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

    private mutating func fourHexadecimalDigits() throws(HuggingFaceError) -> UInt32 {
        guard bytes.count - position >= 4 else { throw malformed("a string does not end") }
        let text = String(decoding: bytes[position..<position + 4], as: UTF8.self)
        guard text.utf8.allSatisfy({ UInt8(ascii: "0") <= $0 && Character(Unicode.Scalar($0)).isHexDigit }),
            let code = UInt32(text, radix: 16)
        else { throw malformed("an escape lacks its four hexadecimal digits") }
        position += 4
        return code
    }
}

/// Text from a file in quotes for a message: shortened, on one line.
func quoted(_ text: String) -> String {
    let scalars = text.unicodeScalars
    let shown = scalars.prefix(80).map { $0.properties.generalCategory == .control ? "?" : String($0) }.joined()
    return "'" + shown + (scalars.count > 80 ? "...'" : "'")
}
