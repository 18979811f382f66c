// DocumentSource - what yields the documents of text files: the formats that are read, and how.

internal import SentencePieceText

/// A format of text files: how its files are named, and what yields their documents.
///
/// A new format is a value in a file of its own, and its place in ``all``. Reading, `prepare`, training and messages
/// follow from it.
package struct DocumentSource: Sendable {
    /// How documents lie in a text.
    package enum Layout: Sendable {
        /// The text is one document.
        case text
        /// One document per line: the string `text` of a JSON object.
        case lines
    }

    /// How the name of a file ends.
    package let suffix: String
    package let layout: Layout
    /// How the text is compressed; nil for a file that is the text, and can be read at any place.
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

    /// The format that a path's ending names.
    package init?(path: String) {
        guard let source = Self.all.first(where: { path.hasSuffix($0.suffix) }) else { return nil }
        self = source
    }

    /// Whether files are read from their start only.
    package var isCompressed: Bool { compression != nil }

    /// All endings in words: ".txt, .jsonl or .jsonl.zst".
    package static func suffixes(joinedBy word: String) -> String {
        all.map(\.suffix).dropLast().joined(separator: ", ") + " \(word) " + (all.last?.suffix ?? "")
    }

    /// All endings: ".txt, .jsonl, .jsonl.zst".
    package static var suffixes: String { all.map(\.suffix).joined(separator: ", ") }
}

/// A way of compressing texts.
struct Compression: Sendable {
    /// The program that compresses, and with `-dc` decompresses.
    let tool: String
    /// How such a file begins.
    let magic: MagicFormat
    /// Opens a file that is there.
    let open: @Sendable (_ path: String) throws -> any CompressedText
}

/// A compressed file, read from its start to its end.
protocol CompressedText: AnyObject {
    /// The next bytes of text; nil at the end, also when it is asked again.
    ///
    /// - Throws: ``DataError`` for a file that is damaged or cannot be read.
    func next() throws -> [UInt8]?

    /// Bytes of the file that were consumed so far.
    var offset: Int { get }
}
