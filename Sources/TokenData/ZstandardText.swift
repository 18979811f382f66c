// ZstandardText - .zst files of text.

internal import InputFiles
internal import SentencePieceText
internal import Zstandard

extension Compression {
    static let zstandard = Compression(tool: "zstd", magic: .zstandard) { try ZstandardText(path: $0) }
}

/// The text of a .zst file.
private final class ZstandardText: CompressedText {
    private let path: String
    private let reader: ZstandardReader

    init(path: String) throws {
        self.path = path
        do throws(ZstandardError) {
            reader = try ZstandardReader(path: path, chunkSize: 1 << 20)
        } catch {
            throw DataError(file: path, problem: error.problem, remedy: error.remedy)
        }
    }

    func next() throws -> [UInt8]? {
        do throws(ZstandardError) { return try reader.next() } catch {
            throw DataError(file: path, problem: error.problem, remedy: error.remedy)
        }
    }

    var offset: Int { reader.offset }
}

extension ZstandardError {
    /// The problem of the error for a ``DataError``, without the path.
    fileprivate var problem: String {
        switch reason {
        case .truncated: "truncated: the compressed file ends at byte \(offset) \(detail)"
        case .corrupt: "not valid zstd data at byte \(offset): \(detail)"
        case .windowTooLarge: "the frame at byte \(offset) needs a window of more than 128 MiB: \(detail)"
        case .unreadable: "cannot be read: \(detail)"
        case .library: "decompression failed at byte \(offset): \(detail)"
        }
    }

    fileprivate var remedy: String {
        switch reason {
        case .truncated, .corrupt: "copy or download the file again"
        case .windowTooLarge: "compress it again without --long or --ultra"
        case .unreadable: "check its permissions"
        case .library: "free memory on this node"
        }
    }
}
