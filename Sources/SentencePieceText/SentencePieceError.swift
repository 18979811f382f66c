// SentencePieceError - why a model could not be loaded, used or trained.

/// A failure of SentencePiece, with the library's message if it has one.
public struct SentencePieceError: Error, Sendable, CustomStringConvertible, Equatable {
    public enum Kind: Sendable, Equatable {
        /// The bytes are no model, or not all of one.
        case notAModel
        /// A text cannot be encoded, or ids cannot be decoded.
        case unusable
        /// No model can be trained on these sentences with these settings.
        case untrainable
        /// The library ran out of memory.
        case outOfMemory
    }

    public let kind: Kind
    public let message: String
    /// The remedy, if it depends on the finding; nil leaves it to the caller.
    public let remedy: String?

    public init(_ kind: Kind, _ message: String, remedy: String? = nil) {
        self.kind = kind
        self.message = message
        self.remedy = remedy
    }

    public var description: String { message + (remedy.map { "; " + $0 } ?? "") }
}
