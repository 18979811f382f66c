// EndToken - which token of a tokenizer.json ends documents.

internal import InputFiles
internal import JSONReading
internal import TokenizerJSON

/// The end token: from a setting, from `tokenizer_config.json`, or from `generation_config.json`, in this order.
struct EndToken {
    static let settingsName = "tokenizer_config.json"
    static let generationName = "generation_config.json"

    /// A text or an id, and the file or setting that says so.
    private enum Choice {
        case text(String, origin: String)
        case id(Int, origin: String)
    }

    private let choice: Choice?
    private let key: String

    /// Largest file beside the tokenizer that is read, in bytes. Those with many added tokens have a megabyte.
    private static let largestFile = 64 << 20

    /// - Parameters:
    ///   - setting: an id, or the text of a token; empty: the files beside `path` decide.
    ///   - key: the setting's name, for errors.
    ///   - path: the tokenizer's file.
    /// - Throws: ``DataError`` for files that cannot be read.
    init(setting: String, key: String, beside path: String) throws {
        self.key = key
        if !setting.isEmpty {
            let isNumber = setting.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            choice = isNumber ? .id(Int(setting) ?? .max, origin: key) : .text(setting, origin: key)
            return
        }
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        if let value = try Self.tree(folder + Self.settingsName)?["eos_token"],
            let text = value.string ?? value["content"]?.string
        {
            choice = .text(text, origin: folder + Self.settingsName)
            return
        }
        var value = try Self.tree(folder + Self.generationName)?["eos_token_id"]
        if case .array(let ids) = value { value = ids.first }
        choice = value?.integer.map { .id($0, origin: folder + Self.generationName) }
    }

    /// The content of a file; nil where there is none.
    private static func tree(_ path: String) throws -> JSONTree? {
        guard case .regular(let size) = FileKind.at(path), size > 0 else { return nil }
        guard size <= largestFile else {
            throw DataError(
                file: path, problem: "the file has \(size) bytes", remedy: "name the end token by a setting")
        }
        let file = try ReadableFile(path: path)
        var reader = JSONReader(try file.bytes(at: 0, count: file.size))
        do throws(JSONReader.Failure) {
            let tree = try JSONTree(&reader)
            try reader.finish()
            return tree
        } catch {
            throw DataError(file: path, problem: error.message, remedy: "mend it, or move it away")
        }
    }

    /// The id in a tokenizer; nil where nothing names one.
    ///
    /// - Throws: ``DataError`` for a text or id that is no token.
    func id(in pipeline: TokenizerPipeline) throws -> Int32? {
        let remedy = "name one of its tokens with \(key)"
        switch choice {
        case nil: return nil
        case .text(let text, let origin):
            if let id = pipeline.id(of: text) { return id }
            throw DataError(
                key: origin == key ? key : "", file: origin == key ? nil : origin,
                problem: "the end token \(text.debugDescription) is no token of the tokenizer", remedy: remedy)
        case .id(let number, let origin):
            if let id = Int32(exactly: number), pipeline.has(id) { return id }
            throw DataError(
                key: origin == key ? key : "", file: origin == key ? nil : origin,
                problem: "the end token \(number) is no id of the tokenizer", remedy: remedy)
        }
    }
}
