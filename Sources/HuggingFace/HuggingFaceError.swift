// HuggingFaceError - the error of a model directory that cannot be imported or written, with its remedy.

internal import Glibc
public import Reporting

/// A model directory that cannot be imported or written.
public struct HuggingFaceError: Error, Sendable, CustomStringConvertible {
    /// The kind of a problem, by which callers decide. Every check of the untrusted files has a kind of its own.
    public enum Kind: Sendable, Equatable, CaseIterable {
        /// A directory or file does not exist.
        case missing
        /// The system refused a file operation.
        case io
        /// The directory to write to is taken.
        case destination

        /// Text that is not JSON.
        case malformedJSON
        /// JSON nested more deeply than anything that is read here.
        case tooDeep
        /// A JSON object with a key twice.
        case duplicateKey
        /// JSON of another type than the format wants.
        case wrongType

        /// A safetensors file that ends before its header or data do.
        case truncated
        /// A length of the header beyond the format's limit.
        case headerTooLong
        /// A tensor name twice in one file.
        case duplicateTensor
        /// An entry of the header that lacks a field or has one too many.
        case badEntry
        /// `__metadata__` that is not a map of strings.
        case badMetadata
        /// An element type that the format does not have.
        case unknownType
        /// A size of a tensor that is no size.
        case badShape
        /// Sizes whose product no file can hold.
        case shapeOverflow
        /// Data that end before they begin.
        case reversedOffsets
        /// Data beyond the end of the file.
        case outsideData
        /// Data of another length than shape and type give.
        case wrongByteCount
        /// Two tensors with the same bytes.
        case overlap
        /// Bytes that belong to no tensor.
        case hole

        /// A shard's name that could lead out of the directory.
        case badFileName
        /// An index of shards that does not fit them.
        case badIndex

        /// A setting that changes the output of the model, and is not supported.
        case unsupported
        /// A key of `config.json` whose effect is not known.
        case unknownKey
        /// A value of `config.json` that no model can have.
        case badConfiguration

        /// A tensor of the model that no file holds.
        case missingTensor
        /// A tensor that the model does not have.
        case unexpectedTensor
        /// A tensor of another shape than the configuration gives.
        case wrongShape
        /// A tensor of a type that holds no weights.
        case unreadableType
        /// A tied model whose file holds another head than the embedding.
        case tiedHeadDiffers

        /// `tokenizer.model` is no SentencePiece model.
        case badTokenizer

        /// A file with other content than its name says: a pointer, a web page, another format.
        case unexpectedContent
        /// Weights that are NaN or infinite.
        case nonFinite
    }

    public let kind: Kind
    /// Path of the file or directory.
    public let file: String
    /// The problem, the allowed values and the remedy.
    public let message: String

    public init(_ kind: Kind, file: String, _ message: String) {
        self.kind = kind
        self.file = file
        self.message = message
    }

    public var description: String { "\(file): \(message)" }

    /// The error of a failed system call.
    static func system(_ number: Int32, _ action: String, _ file: String) -> HuggingFaceError {
        let reason = unsafe String(cString: strerror(number))
        let remedy =
            switch number {
            case ENOSPC, EDQUOT: "; free space or raise the quota, then start again"
            case EACCES, EPERM, EROFS: "; check the permissions"
            default: ""
            }
        return HuggingFaceError(
            number == ENOENT ? .missing : .io, file: file, "cannot \(action): \(reason)\(remedy)")
    }
}

extension HuggingFaceError: ExitStatusProviding {
    public var exitStatus: ExitStatus { kind == .io ? .runtimeFailure : .badInput }
}
