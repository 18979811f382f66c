// PreparationManifest - what a prepared output is made of, and what a finished one holds.

public import TokenData
internal import Tokenizers

/// The input of a preparation: with an equal one, parts that are done can be used.
public struct PreparationManifest: Codable, Equatable, Sendable {
    struct File: Codable, Equatable, Sendable {
        var path: String
        var stamp: FileStamp
    }

    struct Tokenizer: Codable, Equatable, Sendable {
        /// The name, or the SHA-256 of the model, which may have moved.
        var identity: String
        var size: Int
        var endToken: Int32

        init(_ tokenizer: any Tokenizers.Tokenizer) {
            identity = PreparedTokenizer.identity(name: tokenizer.name, modelBytes: tokenizer.modelBytes)
            size = tokenizer.size
            endToken = tokenizer.endToken
        }
    }

    /// Of parts and summary: another version's are not used.
    var version = 1
    var tokenizer: Tokenizer
    var files: [File]
    var chunkSize: Int
    var splitsDomains: Bool

    /// How this input differs from `earlier`, in words; empty if it does not.
    func differences(from earlier: PreparationManifest) -> [String] {
        var list: [String] = []
        if version != earlier.version { list.append("another version of this program made it") }
        if tokenizer != earlier.tokenizer { list.append("the tokenizer is another") }
        if splitsDomains != earlier.splitsDomains {
            list.append(earlier.splitsDomains ? "it has --split-domains" : "it has no --split-domains")
        }
        if files.map(\.path) != earlier.files.map(\.path) {
            list.append("its files are " + Self.words(earlier.files.map(\.path)))
        } else {
            list += zip(files, earlier.files).filter { $0 != $1 }.map { "\($0.0.path) has changed since" }
        }
        if list.isEmpty, self != earlier { list.append("its parts have another size") }
        return list
    }

    /// The places of the files whose parts in `earlier` cannot be used; nil if more than the content of files differs.
    ///
    /// A changed file may change the size of all parts, which grows with the files: then no part can be used.
    func outdatedFiles(since earlier: PreparationManifest) -> [Int]? {
        guard files.map(\.path) == earlier.files.map(\.path) else { return nil }
        let changed = files.indices.filter { files[$0] != earlier.files[$0] }
        let isResized = !changed.isEmpty && chunkSize != earlier.chunkSize
        var same = earlier
        same.files = files
        if isResized { same.chunkSize = chunkSize }
        guard same == self else { return nil }
        return isResized ? Array(files.indices) : changed
    }

    /// What to do where files were added to those of `earlier`, in words; nil where none was.
    func adviceForAddedFiles(since earlier: PreparationManifest) -> String? {
        let known = Set(earlier.files.map(\.path))
        let added = files.map(\.path).filter { !known.contains($0) }
        guard !added.isEmpty, known.isSubset(of: files.map(\.path)) else { return nil }
        return "a file that was not given before, or was skipped as a whole and is mended (\(Self.words(added))), "
            + "changes the numbers of the parts: use --overwrite, which makes all parts again, or choose another --output"
    }

    private static func words(_ paths: [String]) -> String {
        let shown = paths.prefix(3).joined(separator: ", ")
        return paths.count <= 3 ? shown : "\(shown) and \(paths.count - 3) others"
    }
}

/// What a finished preparation has made: the content of PREFIX.json.
public struct PreparationSummary: Codable, Equatable, Sendable {
    /// One .bin/.idx pair.
    public struct Output: Codable, Equatable, Sendable {
        /// Without .bin and .idx.
        public var prefix: String
        /// Where domains have outputs of their own.
        public var domain: String?
        public var documents: Int
        public var tokens: Int
        var binBytes: Int
        var idxBytes: Int
    }

    public var tokenizer: String
    /// As NumPy names it.
    public var elementType: String
    public var outputs: [Output]
    public var documents: Int
    public var tokens: Int
    /// UTF-8 bytes of text.
    public var bytes: Int
    public var domains: [DomainCount]
    public var blankLines: Int
    public var skippedCount: Int
    public var skipped: SkippedCounts
    /// Nil in files of earlier versions, which did not count them.
    public var replaced: ReplacedBytes?
    public var parts: Int
    var manifest: PreparationManifest

    /// Tokens, end tokens included, for one byte of text; 0 where there is no byte.
    public var tokensPerByte: Double { bytes > 0 ? Double(tokens) / Double(bytes) : 0 }
}
