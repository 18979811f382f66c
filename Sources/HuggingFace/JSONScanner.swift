// JSONScanner - JSON of a model directory, read with this module's errors.

internal import JSONReading

/// Reads one JSON text (RFC 8259) front to back, and names the file in errors.
///
/// The caller says which type it expects next. Nesting is bounded, and a key twice in an object is an error. Only the
/// caller keeps values.
struct JSONScanner {
    typealias ValueType = JSONReader.ValueType

    private var reader: JSONReader
    private let file: String

    init(_ bytes: [UInt8], file: String) {
        reader = JSONReader(bytes)
        self.file = file
    }

    /// What `body` reads, its failure as an error of this module.
    private mutating func read<Value>(
        _ body: (inout JSONReader) throws(JSONReader.Failure) -> Value
    ) throws(HuggingFaceError) -> Value {
        do { return try body(&reader) } catch {
            let kind: HuggingFaceError.Kind =
                switch error.kind {
                case .malformed: .malformedJSON
                case .tooDeep: .tooDeep
                case .wrongType: .wrongType
                }
            throw HuggingFaceError(kind, file: file, error.message)
        }
    }

    /// The type of the next value, judged by its first character.
    mutating func peek() throws(HuggingFaceError) -> ValueType {
        try read { reader throws(JSONReader.Failure) in try reader.peek() }
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
        try read { reader throws(JSONReader.Failure) in try reader.beginObject(what) }
        // UTF-8, because Swift holds strings for equal that differ only in how their accents are composed.
        var keys: Set<[UInt8]> = []
        while let key = try read({ reader throws(JSONReader.Failure) in try reader.nextKey() }) {
            let text = String(decoding: key, as: UTF8.self)
            guard keys.insert(key).inserted else {
                throw HuggingFaceError(repeated, file: file, "\(what) has the key \(quoted(text)) twice")
            }
            try body(&self, text)
        }
    }

    /// Reads an array: `body` must read each element.
    mutating func array(
        _ what: String, _ body: (_ scanner: inout JSONScanner) throws(HuggingFaceError) -> Void
    ) throws(HuggingFaceError) {
        try read { reader throws(JSONReader.Failure) in try reader.beginArray(what) }
        while try read({ reader throws(JSONReader.Failure) in try reader.nextElement() }) { try body(&self) }
    }

    mutating func string(_ what: String) throws(HuggingFaceError) -> String {
        try read { reader throws(JSONReader.Failure) in try reader.string(what) }
    }

    mutating func boolean(_ what: String) throws(HuggingFaceError) -> Bool {
        try read { reader throws(JSONReader.Failure) in try reader.boolean(what) }
    }

    mutating func null(_ what: String) throws(HuggingFaceError) {
        try read { reader throws(JSONReader.Failure) in try reader.null(what) }
    }

    /// Reads a number and returns its text, so that no digit is lost.
    mutating func number(_ what: String) throws(HuggingFaceError) -> String {
        try read { reader throws(JSONReader.Failure) in try reader.number(what) }
    }

    /// Reads a whole number from 0 to 2^63 - 1; nil for any other number.
    mutating func size(_ what: String) throws(HuggingFaceError) -> Int? {
        try read { reader throws(JSONReader.Failure) in try reader.size(what) }
    }

    /// Reads and checks any value, and keeps nothing of it.
    mutating func skip() throws(HuggingFaceError) {
        switch try peek() {
        case .object: try object("an object") { scanner, _ throws(HuggingFaceError) in try scanner.skip() }
        case .array: try array("an array") { scanner throws(HuggingFaceError) in try scanner.skip() }
        case .string, .number, .boolean, .null:
            try read { reader throws(JSONReader.Failure) in try reader.skip() }
        }
    }

    /// Checks that nothing but blanks follows.
    mutating func finish() throws(HuggingFaceError) {
        try read { reader throws(JSONReader.Failure) in try reader.finish() }
    }
}
