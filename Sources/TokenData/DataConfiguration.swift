// DataConfiguration - the data of a run (configuration key `data`).

/// The data of a run: tokenizer, domains, sequence length.
public struct DataConfiguration: Sendable, Equatable {
    /// One named body of text.
    public struct Domain: Sendable, Equatable {
        public var name: String
        /// Files of text (see ``DocumentSource``), directories and patterns, or the prefix of a prepared `.bin`/`.idx`
        /// pair; relative to the working directory.
        public var paths: [String]
        /// Key, separator and encoding of the text.
        public var reading = TextReading()
        /// Share of the training sequences, relative to the other domains. A weight of 0 switches the domain off.
        /// Validation ignores it.
        public var weight: Double

        public init(name: String, path: String, weight: Double = 1) {
            self.name = name
            paths = [path]
            self.weight = weight
        }

        /// The only path, or all paths joined, as messages name them.
        public var path: String {
            get { paths.joined(separator: ", ") }
            set { paths = [newValue] }
        }
    }

    /// `bytes`, the path of a SentencePiece model or of a `tokenizer.json`, or `none`, with which all data are prepared.
    public var tokenizer: String
    /// For a `tokenizer.json`: text or id of the token that ends documents; empty: the files beside it say so.
    public var endToken: String
    public var train: [Domain]
    public var validation: [Domain]
    /// T: targets per sequence.
    public var sequenceLength: Int
    /// Token ids that carry no loss as targets.
    public var ignoredTargets: [Int32]
    /// Whether attention and positions stay inside a document.
    public var documentMask: Bool
    /// Whether the first token of a document carries no loss as a target: its input belongs to another document.
    public var maskDocumentStarts: Bool

    public init(
        tokenizer: String = "bytes", train: [Domain], validation: [Domain] = [], sequenceLength: Int = 1024,
        ignoredTargets: [Int32] = [], documentMask: Bool = false, maskDocumentStarts: Bool = false,
        endToken: String = ""
    ) {
        self.tokenizer = tokenizer
        self.endToken = endToken
        self.train = train
        self.validation = validation
        self.sequenceLength = sequenceLength
        self.ignoredTargets = ignoredTargets
        self.documentMask = documentMask
        self.maskDocumentStarts = maskDocumentStarts
    }

    /// Whether sources must know the borders of documents.
    var needsDocuments: Bool { documentMask || maskDocumentStarts }
}

/// The purpose for which domains are loaded; the raw value is the list's key in `data`.
public enum DataPurpose: String, Sendable {
    case training = "train"
    case validation
}
