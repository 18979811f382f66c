// UnexpectedContent - the format of a file that is no tokenizer, weights or settings, told from its first bytes.

/// An unexpected format of a model's file, and a remedy.
///
/// Why: a reader of the expected format only sees damage, and cannot say that a download is incomplete.
public struct UnexpectedContent: Sendable, Equatable {
    /// The format that a reader expects.
    public enum Expected: Sendable, Equatable {
        case sentencePieceModel
        case safetensors
        case json

        var words: String {
            switch self {
            case .sentencePieceModel: "a SentencePiece model"
            case .safetensors: "a safetensors file"
            case .json: "JSON"
            }
        }
    }

    /// The file's real content, in words.
    public let problem: String
    /// The remedy: a way to the right file, or to do without.
    public let remedy: String
    /// Whether the file is a vocabulary of tiktoken, which is no mistake beside a model's weights.
    public let isTiktoken: Bool

    /// Number of bytes at a file's start that are enough to tell.
    public static let byteCount = 4096

    /// - Parameters:
    ///   - start: the first ``byteCount`` bytes of a file; all of a shorter one.
    ///   - expected: the format that the file should have.
    /// - Returns: nil for unknown content, and for content of the expected format.
    public init?(_ start: [UInt8], insteadOf expected: Expected) {
        let start = Array(start.prefix(Self.byteCount))
        guard let format = Format(start), !format.isPossible(for: expected) else { return nil }
        problem = "\(format.words(start)), not \(expected.words)"
        remedy = format.remedy(for: expected)
        isTiktoken = format == .tiktoken
    }
}

/// A format that is told from first bytes.
private enum Format {
    case empty, gitLFSPointer, webPage, errorPage, tiktoken, json, pickle, zip, gguf, gzip, zstandard, hdf5, safetensors

    init?(_ start: [UInt8]) {
        let text = start.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
        let opening = String(decoding: text.prefix(16), as: UTF8.self).lowercased()
        if start.isEmpty {
            self = .empty
        } else if let magic = MagicFormat(start), let format = Self(magic: magic) {
            self = format
        } else if opening.hasPrefix("<!doctype html") || opening.hasPrefix("<html") {
            self = .webPage
        } else if opening.hasPrefix("<?xml") || opening.hasPrefix("<error>") {
            self = .errorPage
        } else if start.count > 8, start[8] == UInt8(ascii: "{"), start[4..<8].allSatisfy({ $0 == 0 }) {
            self = .safetensors
        } else if text.first == UInt8(ascii: "{") || text.first == UInt8(ascii: "[") {
            self = .json
        } else if Self.isTiktoken(start) {
            self = .tiktoken
        } else {
            return nil
        }
    }

    /// Nil for a format that is not met where a model's file should be.
    private init?(magic: MagicFormat) {
        switch magic {
        case .gitLFSPointer: self = .gitLFSPointer
        case .gguf: self = .gguf
        case .zip: self = .zip
        case .gzip: self = .gzip
        case .zstandard: self = .zstandard
        case .hdf5: self = .hdf5
        case .pickle: self = .pickle
        case .bzip2, .xz, .lz4, .sevenZip, .arrow, .numPy: return nil
        }
    }

    /// Whether each line is a token in base64, a blank, and the token's rank: OpenAI's tiktoken.
    private static func isTiktoken(_ start: [UInt8]) -> Bool {
        // The last line may be incomplete.
        let lines = start.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast().prefix(20)
        return !lines.isEmpty
            && lines.allSatisfy { line in
                let parts = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
                return parts.count == 2 && !parts[0].isEmpty && parts[0].count % 4 == 0 && parts[0].allSatisfy(isBase64)
                    && !parts[1].isEmpty && parts[1].allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            }
    }

    private static func isBase64(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="):
            true
        default: false
        }
    }

    func isPossible(for expected: UnexpectedContent.Expected) -> Bool {
        switch (self, expected) {
        case (.safetensors, .safetensors), (.json, .json): true
        default: false
        }
    }

    func words(_ start: [UInt8]) -> String {
        switch self {
        case .empty: "the file is empty"
        case .gitLFSPointer: "this is a Git LFS pointer to the file\(Self.pointedSize(start))"
        case .webPage: "this is a web page"
        case .errorPage: "this is an XML text, perhaps a server's error"
        case .tiktoken: "this is a vocabulary of tiktoken, as Llama 3 has it"
        case .json: "this is JSON"
        case .pickle: "this is a Python pickle"
        case .zip: "this is a zip archive, as torch.save writes it"
        case .gguf: "this is a GGUF file of llama.cpp"
        case .gzip: "this is gzip data"
        case .zstandard: "this is zstd data"
        case .hdf5: "this is an HDF5 file"
        case .safetensors: "this is a safetensors file"
        }
    }

    /// The size of the real file, as the Git LFS pointer states it.
    private static func pointedSize(_ start: [UInt8]) -> String {
        let lines = String(decoding: start, as: UTF8.self).split(whereSeparator: \.isNewline)
        guard let line = lines.first(where: { $0.hasPrefix("size ") }), let size = UInt64(line.dropFirst(5)) else {
            return ""
        }
        return " (of \(size) bytes)"
    }

    func remedy(for expected: UnexpectedContent.Expected) -> String {
        switch self {
        case .gitLFSPointer: return "fetch the file: run git lfs pull in the repository that it was cloned with"
        case .webPage, .errorPage:
            return "download the file itself; on Hugging Face its address has \"resolve\" where the page has \"blob\""
        case .empty: return "copy or download it again"
        case .gzip: return "decompress it: gzip -d"
        case .zstandard: return "decompress it: zstd -d"
        case .tiktoken, .json, .pickle, .zip, .gguf, .hdf5, .safetensors: break
        }
        switch expected {
        case .sentencePieceModel:
            return
                "this program encodes text with SentencePiece models only: give the one of the model if there is one; "
                + "otherwise encode with the model's own tokenizer elsewhere, and train on prepared token files"
        case .safetensors: return "save the model as safetensors: save_pretrained of transformers does"
        case .json: return "give the file that transformers wrote"
        }
    }
}
