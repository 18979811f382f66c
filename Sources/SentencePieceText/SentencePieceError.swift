// SentencePieceError - why a model could not be loaded, used or trained.

/// A failure of SentencePiece, in its own words where it has some.
public struct SentencePieceError: Error, Sendable, CustomStringConvertible, Equatable {
    /// What a caller decides by.
    public enum Kind: Sendable, Equatable {
        /// The bytes are no model, or not all of one.
        case notAModel
        /// The text or the ids cannot be turned into the other.
        case unusable
        /// No model comes out of these sentences with these settings.
        case untrainable
        /// The library ran out of memory.
        case outOfMemory
    }

    public let kind: Kind
    public let message: String
    /// What to do, where it depends on what was found; nil: whatever the caller advises.
    public let remedy: String?

    public init(_ kind: Kind, _ message: String, remedy: String? = nil) {
        self.kind = kind
        self.message = message
        self.remedy = remedy
    }

    public var description: String { message + (remedy.map { "; " + $0 } ?? "") }
}
