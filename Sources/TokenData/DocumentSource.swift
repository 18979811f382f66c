// DocumentSource - the formats of text files: their endings, layout and compression.

internal import SentencePieceText

/// A format of text files: ending, layout of documents, compression.
///
/// A new format is a value in a file of its own, and an element of ``all``. Reading, `prepare`, training and messages
/// follow from it.
package struct DocumentSource: Sendable {
    /// Arrangement of documents in a file.
    package enum Layout: Sendable {
        /// The text is one document.
        case text
        /// One document per line: the string `text` of a JSON object.
        case lines
    }

    /// Ending of a file's name, for example `.jsonl.gz`.
    package let suffix: String
    package let layout: Layout
    /// Compression of the text; nil for an uncompressed file, which can be read at any offset.
    let compression: Compression?

    init(suffix: String, layout: Layout, compression: Compression? = nil) {
        self.suffix = suffix
        self.layout = layout
        self.compression = compression
    }

    /// Every format, in the order in which messages name them.
    static let all: [DocumentSource] =
        [DocumentSource(suffix: ".txt", layout: .text), DocumentSource(suffix: ".jsonl", layout: .lines)]
        + Compression.zstandardSources + Compression.gzipSources

    /// The format whose ending `path` has; nil if there is none.
    package init?(path: String) {
        guard let source = Self.all.first(where: { path.hasSuffix($0.suffix) }) else { return nil }
        self = source
    }

    /// Whether files can be read from their start only.
    package var isCompressed: Bool { compression != nil }

    /// All endings, the last one after `word`: ".txt, .jsonl or .jsonl.zst".
    package static func suffixes(joinedBy word: String) -> String {
        all.map(\.suffix).dropLast().joined(separator: ", ") + " \(word) " + (all.last?.suffix ?? "")
    }

    /// All endings, joined by commas: ".txt, .jsonl, .jsonl.zst".
    package static var suffixes: String { all.map(\.suffix).joined(separator: ", ") }

    /// The endings of compressed formats, joined by commas: ".jsonl.zst, .jsonl.gz".
    package static var compressedSuffixes: String {
        all.filter(\.isCompressed).map(\.suffix).joined(separator: ", ")
    }
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
