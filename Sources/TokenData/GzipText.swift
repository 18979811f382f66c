// GzipText - .gz files of text.

internal import Gzip
internal import InputFiles
internal import SentencePieceText

extension Compression {
    /// gzip, as gzip, pigz and web crawls write it.
    static let gzip = Compression(tool: "gzip", magic: .gzip) { try GzipText(path: $0) }
}

/// The text of a .gz file.
private final class GzipText: CompressedText {
    private let path: String
    private let reader: GzipReader

    init(path: String) throws {
        self.path = path
        let file = try ReadableFile(path: path)
        do {
            reader = try GzipReader { try file.next() }
        } catch let error as GzipError {
            throw DataError(file: path, problem: error.problem, remedy: error.remedy)
        }
    }

    func next() throws -> [UInt8]? {
        do {
            return try reader.next()
        } catch let error as GzipError {
            throw DataError(file: path, problem: error.problem, remedy: error.remedy)
        }
    }

    var offset: Int { reader.offset }
}

extension GzipError {
    /// The problem of the error for a ``DataError``, without the path.
    fileprivate var problem: String {
        switch reason {
        case .truncated: "truncated: the compressed file ends at byte \(offset) \(detail)"
        case .corrupt: "not valid gzip data at byte \(offset): \(detail)"
        case .trailingBytes: "trailing bytes: the gzip data end before byte \(offset), and \(detail)"
        case .library: "decompression failed at byte \(offset): \(detail)"
        }
    }

    fileprivate var remedy: String {
        switch reason {
        case .truncated, .corrupt: "copy or download the file again"
        case .trailingBytes: "copy or download the file again, or leave out what follows the data"
        case .library: "free memory on this node"
        }
    }
}
