// DocumentSource - the formats of text files: their endings, layout and compression.

internal import SentencePieceText

/// A format of text files: ending, layout of documents, compression.
///
/// A new format is a value in a file of its own, and an element of ``all``. Reading, `prepare`, training and messages
/// follow from it.
package struct DocumentSource: Sendable {
    /// Arrangement of documents in a file.
    package enum Layout: Sendable {
        /// The text is one document, or has a separator between its documents.
        case text
        /// One document per line: the string `text` of a JSON object.
        case lines
    }

    /// Ending of a file's name in small letters, for example `.jsonl.gz`.
    package let suffix: String
    package let layout: Layout
    /// Compression of the text; nil for a file that is not compressed.
    let compression: Compression?
    /// Whether another program reads the file, and gives its rows as lines.
    package let isTable: Bool

    init(suffix: String, layout: Layout, compression: Compression? = nil, isTable: Bool = false) {
        self.suffix = suffix
        self.layout = layout
        self.compression = compression
        self.isTable = isTable
    }

    /// The formats of files that are not compressed.
    private static let plain = [
        DocumentSource(suffix: ".txt", layout: .text), DocumentSource(suffix: ".jsonl", layout: .lines),
        DocumentSource(suffix: ".json", layout: .lines), DocumentSource(suffix: ".ndjson", layout: .lines),
    ]

    /// Every format. The first of several equal ones is the one that messages advise.
    static let all: [DocumentSource] =
        plain
        + Compression.all.flatMap { ending, compression in
            plain.map {
                DocumentSource(suffix: $0.suffix + ending, layout: $0.layout, compression: compression)
            }
        } + [parquet]

    /// The format whose ending `path` has, in small letters or capitals; nil if there is none.
    package init?(path: String) {
        // The longest ending has 11 bytes. Why: a path may be long, and a configuration has many.
        let end = String(path.suffix(16)).lowercased()
        guard let source = Self.all.first(where: { end.hasSuffix($0.suffix) }) else { return nil }
        self = source
    }

    /// Whether the file is compressed by a program that decompresses it too.
    package var isCompressed: Bool { compression != nil }

    /// Whether a file is named JSON without a word that its lines are the objects.
    var isNamedJSON: Bool { suffix.hasPrefix(".json") && !suffix.hasPrefix(".jsonl") }

    /// All endings, the last one after `word`: ".txt, .jsonl (...) or .parquet".
    package static func suffixes(joinedBy word: String) -> String {
        "\(textSuffixes(joinedBy: ",")) \(word) \(parquet.suffix)"
    }

    /// The endings that training reads itself, the last one after `word`: ".txt, .jsonl, .json or .ndjson (...)".
    package static func textSuffixes(joinedBy word: String) -> String {
        let names = plain.map(\.suffix)
        let last = names.last.map { word == "," ? ", \($0)" : " \(word) \($0)" } ?? ""
        return names.dropLast().joined(separator: ", ") + last + " (each also with \(compressionEndings))"
    }

    /// All endings: ".txt, .jsonl, .json, .ndjson (...), .parquet".
    package static var suffixes: String { "\(textSuffixes(joinedBy: ",")), \(parquet.suffix)" }

    /// The endings of compressions: ".zst or .gz".
    package static var compressionEndings: String { Compression.all.map(\.ending).joined(separator: " or ") }
}

extension Compression {
    /// Every compression with its ending.
    static let all: [(ending: String, compression: Compression)] = [(".zst", zstandard), (".gz", gzip)]
}

/// A compression of text files.
struct Compression: Sendable {
    /// Name of the program that compresses, and decompresses with `-dc`.
    let tool: String
    /// Format of a compressed file's first bytes.
    let magic: MagicFormat
    /// Opens an existing file.
    let open: @Sendable (_ path: String) throws -> any CompressedText
}

/// A compressed file, read from its start to its end.
protocol CompressedText: AnyObject {
    /// The next bytes of text; nil at the end, and at every later call.
    ///
    /// - Throws: ``DataError`` for a file that is damaged or unreadable.
    func next() throws -> [UInt8]?

    /// Number of compressed bytes consumed so far.
    var offset: Int { get }
}
