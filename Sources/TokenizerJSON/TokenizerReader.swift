// TokenizerReader - reads tokenizer.json from untrusted bytes.

internal import JSONReading

/// Reads a `tokenizer.json`, and checks every reference in it.
struct TokenizerReader {
    /// Most ids of a tokenizer. Real ones have some hundred thousand.
    static let mostIds = 1 << 24
    /// Most added tokens.
    private static let mostAddedTokens = 1 << 20

    private var reader: JSONReader
    private var trees: [String: JSONTree] = [:]
    private var addedTokens: [AddedToken] = []
    private var model = ModelReader()

    init(_ bytes: [UInt8]) { reader = JSONReader(bytes) }

    /// What `body` reads, its failure as an error of this module.
    private mutating func read<Value>(
        _ body: (inout JSONReader) throws(JSONReader.Failure) -> Value
    ) throws(TokenizerFileError) -> Value {
        do { return try body(&reader) } catch { throw TokenizerFileError(error.message) }
    }

    /// The parts of the tokenizer.
    ///
    /// - Throws: ``TokenizerFileError`` for a file that is malformed or asks for what is not supported.
    mutating func parts() throws(TokenizerFileError) -> TokenizerPipeline.Parts {
        try readFile()
        let normalizer = try component("normalizer")?.normalizer()
        let preTokenizer = try component("pre_tokenizer")?.preTokenizer()
        let decoder = try component("decoder")?.decoder()
        let postProcessor = try component("post_processor")?.postProcessor()
        let leavesBytes = model.isBytePairs && preTokenizer?.endsWithByteLevel ?? false
        let model = try model.model(isByteLevel: leavesBytes)
        return TokenizerPipeline.Parts(
            addedTokens: try AddedTokens(checked(addedTokens, model.vocabulary), normalizer: normalizer),
            normalizer: normalizer, preTokenizer: preTokenizer, model: model, leavesBytes: leavesBytes,
            postProcessor: postProcessor, decoder: decoder)
    }

    private func component(_ name: String) throws(TokenizerFileError) -> Component? {
        guard let tree = trees[name], tree != .null else { return nil }
        return try Component(tree, path: name)
    }

    private mutating func readFile() throws(TokenizerFileError) {
        try read { reader throws(JSONReader.Failure) in try reader.beginObject("tokenizer.json") }
        var keys: Set<[UInt8]> = []
        while let bytes = try read({ reader throws(JSONReader.Failure) in try reader.nextKey() }) {
            let key = String(decoding: bytes, as: UTF8.self)
            guard keys.insert(bytes).inserted else { throw TokenizerFileError("the key \(key) comes twice") }
            switch key {
            case "model": try readModel()
            case "added_tokens": try readAddedTokens()
            case "version", "truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder":
                trees[key] = try read { reader throws(JSONReader.Failure) in try JSONTree(&reader) }
            default: throw .unsupported("the key \(key)")
            }
        }
        try read { reader throws(JSONReader.Failure) in try reader.finish() }
        if let version = trees["version"], version != .string("1.0") {
            throw .unsupported("another version than 1.0")
        }
        for key in ["truncation", "padding"] {
            guard let tree = trees[key], tree != .null else { continue }
            throw TokenizerFileError(
                "\(key) changes the ids of texts, which training cannot use",
                remedy: "set it to null, with no_\(key)() of the library tokenizers")
        }
        guard keys.contains(Array("model".utf8)) else { throw TokenizerFileError("the key model is missing") }
    }

    private mutating func readModel() throws(TokenizerFileError) {
        do throws(ModelReader.Failure) { try model.read(&reader) } catch {
            switch error {
            case .json(let failure): throw TokenizerFileError(failure.message)
            case .file(let failure): throw failure
            }
        }
    }

    private mutating func readAddedTokens() throws(TokenizerFileError) {
        try read { reader throws(JSONReader.Failure) in try reader.beginArray("added_tokens") }
        while try read({ reader throws(JSONReader.Failure) in try reader.nextElement() }) {
            let tree = try read { reader throws(JSONReader.Failure) in try JSONTree(&reader) }
            let path = "added_tokens[\(addedTokens.count)]"
            guard case .object(let members) = tree, addedTokens.count < Self.mostAddedTokens else {
                throw TokenizerFileError("\(path) is no object, or one too many")
            }
            let flags = ["single_word", "lstrip", "rstrip", "normalized", "special"]
            for member in members where !(["id", "content"] + flags).contains(member.key) {
                throw .unsupported("\(path).\(member.key)")
            }
            guard members.count == 2 + flags.count, let content = tree["content"]?.string,
                let id = tree["id"]?.integer, (0..<Self.mostIds).contains(id)
            else { throw TokenizerFileError("\(path) lacks a field, has one twice, or its id is no id") }
            var values: [Bool] = []
            for flag in flags {
                guard case .boolean(let value) = tree[flag] else {
                    throw TokenizerFileError("\(path).\(flag) must be true or false")
                }
                values.append(value)
            }
            guard content.utf8.count <= AddedTokens.longestToken else {
                throw TokenizerFileError("\(path).content has more than \(AddedTokens.longestToken) bytes")
            }
            addedTokens.append(
                AddedToken(
                    id: Int32(id), content: Array(content.utf8), isSingleWord: values[0], stripsLeft: values[1],
                    stripsRight: values[2], isNormalized: values[3], isSpecial: values[4]))
        }
    }

    /// The added tokens that are not empty, with the ids that the library gives them.
    private func checked(
        _ tokens: [AddedToken], _ vocabulary: TextTable
    ) throws(TokenizerFileError) -> [AddedToken] {
        var contents: Set<[UInt8]> = []
        var ids: Set<Int32> = []
        var next = vocabulary.count
        let tokens = tokens.filter { !$0.content.isEmpty }
        for token in tokens {
            let name = "the added token '\(String(decoding: token.content, as: UTF8.self))'"
            let expected: Int
            if let id = vocabulary.id(of: token.content) {
                expected = Int(id)
            } else {
                expected = next
                next += 1
            }
            guard contents.insert(token.content).inserted, ids.insert(token.id).inserted else {
                throw TokenizerFileError("\(name) or its id comes twice")
            }
            guard expected == Int(token.id) else {
                throw TokenizerFileError(
                    "\(name) has the id \(token.id), where the library tokenizers gives it \(expected)")
            }
        }
        return tokens
    }
}
