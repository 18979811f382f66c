// ForeignContent - files with the name of a text and other content: an archive, a table, another encoding.

internal import SentencePieceText
internal import InputFiles

/// Content that contradicts a file's name, and a remedy.
public struct ForeignContent: Equatable, Sendable {
    /// The file's real content, in words.
    public let problem: String
    /// The remedy: a way to a file that can be read.
    public let remedy: String

    /// Number of bytes at the start of a file that are examined.
    private static let startSize = 4096

    /// Examines the first and last bytes of a file.
    ///
    /// - Returns: nil for a possible text of the named format, for an empty file, and for no file.
    /// - Throws: ``DataError`` for a file that cannot be read.
    public init?(path: String) throws {
        guard case .regular(let size) = FileKind.at(path), size > 0 else { return nil }
        let file = try ReadableFile(path: path)
        let start = try file.bytes(at: 0, count: min(Self.startSize, size))
        let end = try file.bytes(at: max(size - 4, 0), count: min(4, size))
        self.init(path: path, start: start, end: end)
    }

    /// - Parameters:
    /// - path: the file's path, whose ending names the expected format.
    ///   - start: its first bytes; all of a short file.
    ///   - end: its last four bytes.
    init?(path: String, start: [UInt8], end: [UInt8]) {
        let source = DocumentSource(path: path)
        guard let kind = Kind(start: start, end: end, source: source) else { return nil }
        problem = kind.problem
        remedy = kind.remedy(path: path, isText: source?.layout == .text)
    }
}

/// A kind of content that is told from first and last bytes.
private enum Kind {
    case gzip, bzip2, xz, lz4, zstandard, zip, sevenZip, tar, parquet, arrow, hdf5, numPy, index, gitLFSPointer
    case utf16(order: String?)
    case utf32(order: String?)
    /// Uncompressed JSON lines in a file whose name ends as if compressed by `tool`.
    case plainJSONLines(tool: String)

    /// - Parameter source: the format of the file's ending.
    init?(start: [UInt8], end: [UInt8], source: DocumentSource?) {
        if let magic = MagicFormat(start), let found = Self(magic: magic) {
            if magic == source?.compression?.magic { return nil }
            self = found
        } else if start.starts(with: IndexedDataset.magic) {
            self = .index
        } else if start.starts(with: "PAR1".utf8), end == Array("PAR1".utf8) {
            self = .parquet
        } else if start.count >= 512, start[257..<262].elementsEqual("ustar".utf8), start[..<257].contains(0) {
            self = .tar
        } else if let found = Self.wideText(start) {
            self = found
        } else if let tool = source?.compression?.tool, source?.layout == .lines,
            start.first(where: { $0 > 0x20 }) == UInt8(ascii: "{")
        {
            self = .plainJSONLines(tool: tool)
        } else {
            return nil
        }
    }

    /// Nil for a format that is not met where a text should be.
    private init?(magic: MagicFormat) {
        switch magic {
        case .gitLFSPointer: self = .gitLFSPointer
        case .gzip: self = .gzip
        case .bzip2: self = .bzip2
        case .xz: self = .xz
        case .lz4: self = .lz4
        case .zstandard: self = .zstandard
        case .zip: self = .zip
        case .sevenZip: self = .sevenZip
        case .arrow: self = .arrow
        case .hdf5: self = .hdf5
        case .numPy: self = .numPy
        case .gguf, .pickle: return nil
        }
    }

    /// UTF-16 or UTF-32, told from a byte-order mark or from the zero bytes of Latin letters.
    private static func wideText(_ start: [UInt8]) -> Kind? {
        func begins(with marks: [[UInt8]]) -> Bool { marks.contains { start.starts(with: $0) } }
        if begins(with: [[0xFF, 0xFE, 0, 0], [0, 0, 0xFE, 0xFF]]) { return .utf32(order: nil) }
        if begins(with: [[0xFF, 0xFE], [0xFE, 0xFF]]) { return .utf16(order: nil) }
        let quarters = start.count / 4
        guard quarters >= 2 else { return nil }
        var zeros = [0, 0, 0, 0]
        for index in 0..<(4 * quarters) where start[index] == 0 { zeros[index % 4] += 1 }
        let isMostlyZero = zeros.map { 2 * $0 > quarters }
        let isNeverZero = zeros.map { 50 * $0 < quarters }
        if isNeverZero[0], isMostlyZero[2], isMostlyZero[3] { return .utf32(order: "LE") }
        if isNeverZero[3], isMostlyZero[0], isMostlyZero[1] { return .utf32(order: "BE") }
        if isNeverZero[0], isNeverZero[2], isMostlyZero[1], isMostlyZero[3] { return .utf16(order: "LE") }
        if isNeverZero[1], isNeverZero[3], isMostlyZero[0], isMostlyZero[2] { return .utf16(order: "BE") }
        return nil
    }

    var problem: String {
        switch self {
        case .gzip: "this is gzip data"
        case .bzip2: "this is bzip2 data"
        case .xz: "this is xz data"
        case .lz4: "this is lz4 data"
        case .zstandard: "this is zstd data"
        case .zip: "this is a zip archive"
        case .sevenZip: "this is a 7z archive"
        case .tar: "this is a tar archive"
        case .parquet: "this is a Parquet file"
        case .arrow: "this is an Arrow file"
        case .hdf5: "this is an HDF5 file"
        case .numPy: "this is a NumPy array"
        case .index: "this is the index of prepared data"
        case .gitLFSPointer: "this is a Git LFS pointer in place of the file"
        case .utf16: "the text is UTF-16, not UTF-8"
        case .utf32: "the text is UTF-32, not UTF-8"
        case .plainJSONLines: "this is not compressed: it is JSON as it stands"
        }
    }

    func remedy(path: String, isText: Bool) -> String {
        let new = isText ? "NEW.txt" : "NEW.jsonl"
        func decompress(_ tool: String) -> String { "decompress it: \(tool) -dc \(path) > \(new)" }
        switch self {
        case .gzip: return decompress("gzip") + Self.otherName(.gzip, isText)
        case .bzip2: return decompress("bzip2") + Self.otherName(.bzip2, isText)
        case .xz: return decompress("xz") + Self.otherName(.xz, isText)
        case .lz4: return decompress("lz4") + Self.otherName(.lz4, isText)
        case .zstandard: return decompress("zstd") + Self.otherName(.zstandard, isText)
        case .zip, .sevenZip, .tar: return "unpack it and give the files in it"
        case .parquet:
            return "write its texts as JSON lines, for example in Python: "
                + "pandas.read_parquet(\"\(path)\")[[\"text\"]].to_json(\"NEW.jsonl\", orient=\"records\", lines=True)"
        case .arrow:
            return "write its texts as JSON lines, for example in Python: "
                + "datasets.Dataset.from_file(\"\(path)\").to_json(\"NEW.jsonl\")"
        case .hdf5, .numPy: return "give the text itself, as \(DocumentSource.suffixes(joinedBy: "or"))"
        case .index: return "it is prepared: give its name without .idx as a path of a configuration's data"
        case .gitLFSPointer: return "fetch the file: git lfs pull"
        case .utf16(let order): return "convert it: iconv -f UTF-16\(order ?? "") -t UTF-8 \(path) > \(new)"
        case .utf32(let order): return "convert it: iconv -f UTF-32\(order ?? "") -t UTF-8 \(path) > \(new)"
        case .plainJSONLines(let tool): return "name it .jsonl, or compress it with \(tool)"
        }
    }

    /// The end of a remedy: the ending for files of this compression, if possible with an equal layout.
    private static func otherName(_ magic: MagicFormat, _ isText: Bool) -> String {
        let sources = DocumentSource.all.filter { $0.compression?.magic == magic }
        guard let source = sources.first(where: { ($0.layout == .text) == isText }) ?? sources.first else { return "" }
        return ", or name it \(source.suffix)" + (source.layout == .lines ? " if it holds JSON lines" : "")
    }
}
