// PreparationManifest - the input of a preparation, and the summary of a finished one.

public import TokenData
internal import Tokenizers

/// The input of a preparation. Finished parts are reused if their manifest is equal.
public struct PreparationManifest: Codable, Equatable, Sendable {
    struct File: Codable, Equatable, Sendable {
        var path: String
        var stamp: FileStamp
        /// SHA-256 of a stream; nil for a file.
        var hash: String?
    }

    struct Tokenizer: Codable, Equatable, Sendable {
        /// The tokenizer's name, or the SHA-256 of its model, whose file may have moved.
        var identity: String
        var size: Int
        var endToken: Int32

        init(_ tokenizer: any Tokenizers.Tokenizer) {
            identity = PreparedTokenizer.identity(name: tokenizer.name, modelBytes: tokenizer.modelBytes)
            size = tokenizer.size
            endToken = tokenizer.endToken
        }
    }

    /// Version of parts and summary. Those of another version are not used.
    var version = 1
    var tokenizer: Tokenizer
    var files: [File]
    var chunkSize: Int
    var splitsDomains: Bool
    /// Key, separator and encoding of the texts; nil for the standard ones, as in manifests of earlier versions.
    var reading: TextReading?

    /// The differences to the input `earlier`, in words; empty if there are none.
    func differences(from earlier: PreparationManifest) -> [String] {
        var list: [String] = []
        if version != earlier.version { list.append("another version of this program made it") }
        if tokenizer != earlier.tokenizer { list.append("the tokenizer is another") }
        if splitsDomains != earlier.splitsDomains {
            list.append(earlier.splitsDomains ? "it has --split-domains" : "it has no --split-domains")
        }
        let (now, before) = (reading ?? TextReading(), earlier.reading ?? TextReading())
        if now.textKey != before.textKey { list.append("it has --text-key \(before.textKey)") }
        if now.separator != before.separator {
            list.append(
                before.separator.map { "it has --document-separator \($0.debugDescription)" }
                    ?? "it has no --document-separator")
        }
        if now.encoding != before.encoding { list.append("it has --encoding \(before.encoding.rawValue)") }
        if files.map(\.path) != earlier.files.map(\.path) {
            list.append("its files are " + Self.words(earlier.files.map(\.path)))
        } else {
            list += zip(files, earlier.files).filter { $0 != $1 }.map { "\($0.0.path) has changed since" }
        }
        if list.isEmpty, self != earlier { list.append("its parts have another size") }
        return list
    }

    /// Indexes of the files whose parts in `earlier` are outdated; nil if the inputs differ in more than the content of
    /// files.
    ///
    /// The size of parts grows with the files. If a changed file changes it, all parts are outdated.
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

    /// The remedy where files were added to those of `earlier`; nil where none was.
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

/// The summary of a finished preparation: the content of PREFIX.json.
public struct PreparationSummary: Codable, Equatable, Sendable {
    /// One .bin/.idx pair.
    public struct Output: Codable, Equatable, Sendable {
        /// Path of the pair without .bin and .idx.
        public var prefix: String
        /// The domain, if domains have outputs of their own.
        public var domain: String?
        public var documents: Int
        public var tokens: Int
        var binBytes: Int
        var idxBytes: Int
    }

    public var tokenizer: String
    /// Type of the ids, by NumPy's name.
    public var elementType: String
    public var outputs: [Output]
    public var documents: Int
    public var tokens: Int
    /// Number of UTF-8 bytes of text.
    public var bytes: Int
    public var domains: [DomainCount]
    public var blankLines: Int
    var skippedCount: Int
    public var skipped: SkippedCounts
    /// Nil in summaries of earlier versions, which did not count these bytes.
    public var replaced: ReplacedBytes?
    public var parts: Int
    var manifest: PreparationManifest

    /// Lines about bytes that were read as U+FFFD, for people.
    public var replacedLines: [String] { replaced?.lines(manifest.reading?.encoding ?? .utf8) ?? [] }

    /// Tokens per byte of text, end tokens included; 0 without text.
    public var tokensPerByte: Double { bytes > 0 ? Double(tokens) / Double(bytes) : 0 }
}
