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
    /// - Parameter encoding: the encoding in which the file is read.
    /// - Returns: nil for a possible text of the named format, for an empty file, and for no file.
    /// - Throws: ``DataError`` for a file that cannot be read.
    public init?(path: String, encoding: TextEncoding = .utf8) throws {
        guard case .regular(let size) = FileKind.at(path), size > 0 else { return nil }
        let file = try ReadableFile(path: path)
        let start = try file.bytes(at: 0, count: min(Self.startSize, size))
        let end = try file.bytes(at: max(size - 4, 0), count: min(4, size))
        self.init(path: path, start: start, end: end, encoding: encoding)
    }

    /// - Parameters:
    /// - path: the file's path, whose ending names the expected format.
    ///   - start: its first bytes; all of a short file.
    ///   - end: its last four bytes.
    ///   - encoding: the encoding in which the file is read.
    init?(path: String, start: [UInt8], end: [UInt8], encoding: TextEncoding = .utf8) {
        let source = DocumentSource(path: path)
        guard let kind = Kind(start: start, end: end, source: source, encoding: encoding) else { return nil }
        problem = kind.problem
        remedy = kind.remedy(path: path, isText: source?.layout == .text)
    }
}

extension ForeignContent {
    /// Examines the first bytes of the text of a file whose name ends in .json.
    ///
    /// - Parameters:
    ///   - start: the first bytes of the text, decompressed.
    ///   - path: the file's path.
    ///   - tool: the program that decompresses the file; nil for an uncompressed one.
    /// - Returns: nil where the lines may be objects.
    init?(json start: [UInt8], path: String, tool: String?) {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let text = start.starts(with: mark) ? start.dropFirst(mark.count) : start[...]
        let first = text.drop { $0 <= 0x20 }
        // An object that goes on in the next line has nothing but its brace in the first.
        let line = first.prefix { $0 != 0x0A }.filter { $0 > 0x20 }
        func remedy(_ program: String) -> String {
            guard let tool else { return "write an object per line: jq -c \(program) \(path) > NEW.jsonl" }
            return "write an object per line: \(tool) -dc \(path) | jq -c \(program) > NEW.jsonl"
        }
        switch line.first {
        case UInt8(ascii: "["):
            self.init(problem: "this is one JSON array, not an object per line", remedy: remedy("'.[]'"))
        case UInt8(ascii: "{") where line.count == 1 && first.count > line.count:
            self.init(problem: "this is JSON over several lines, not an object per line", remedy: remedy("."))
        default: return nil
        }
    }

    private init(problem: String, remedy: String) {
        self.problem = problem
        self.remedy = remedy
    }
}

/// A kind of content that is told from first and last bytes.
private enum Kind {
    case gzip, bzip2, xz, lz4, zstandard, zip, sevenZip, tar, parquet, arrow, hdf5, numPy, index, gitLFSPointer
    case utf16(order: String?)
    case utf32(order: String?)
    /// Uncompressed JSON lines in a file whose name ends as if compressed by `tool`.
    case plainJSONLines(tool: String)

    /// Something else under the name of a Parquet file.
    case noParquet

    /// - Parameters:
    ///   - source: the format of the file's ending.
    ///   - encoding: the encoding in which the file is read.
    init?(start: [UInt8], end: [UInt8], source: DocumentSource?, encoding: TextEncoding) {
        let isParquet = start.starts(with: "PAR1".utf8) && end == Array("PAR1".utf8)
        if source?.isTable == true {
            if isParquet { return nil }
            // A file that was cut short is no Parquet file either: its end tells where its rows are.
            self = MagicFormat(start).flatMap(Self.init(magic:)) ?? .noParquet
        } else if let magic = MagicFormat(start), let found = Self(magic: magic) {
            if magic == source?.compression?.magic { return nil }
            self = found
        } else if start.starts(with: IndexedDataset.magic) {
            self = .index
        } else if isParquet {
            self = .parquet
        } else if start.count >= 512, start[257..<262].elementsEqual("ustar".utf8), start[..<257].contains(0) {
            self = .tar
        } else if let found = Self.wideText(start), !(encoding == .utf16 && found.isReadAsUTF16) {
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

    /// Whether a reader of UTF-16 finds the text: a byte-order mark, or the low byte first.
    private var isReadAsUTF16: Bool { if case .utf16(let order) = self { order != "BE" } else { false } }

    var problem: String {
        switch self {
        case .noParquet: "this is no Parquet file, or only its beginning"
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
        case .parquet: return "name it .parquet, and prepare it with mile-dist prepare"
        case .noParquet: return "copy or download the file again"
        case .arrow:
            return "write its texts as JSON lines, for example in Python: "
                + "datasets.Dataset.from_file(\"\(path)\").to_json(\"NEW.jsonl\")"
        case .hdf5, .numPy: return "give the text itself, as \(DocumentSource.suffixes(joinedBy: "or"))"
        case .index: return "it is prepared: give its name without .idx as a path of a configuration's data"
        case .gitLFSPointer: return "fetch the file: git lfs pull"
        case .utf16("BE"): return "convert it: iconv -f UTF-16BE -t UTF-8 \(path) > \(new)"
        case .utf16(let order):
            return "read it as utf-16 (--encoding, or the key encoding of a domain), or convert it: "
                + "iconv -f UTF-16\(order ?? "") -t UTF-8 \(path) > \(new)"
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
