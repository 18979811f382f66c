// CheckpointIndex - the content of `checkpoint.h5`: all of a checkpoint but the tensors.

public import LlamaModel

/// The content of `checkpoint.h5`.
public struct CheckpointIndex: Sendable, Equatable {
    /// The version of the layout. This program reads no other.
    public static let formatVersion = 1

    /// The tokenizer of the run.
    public struct Tokenizer: Sendable, Equatable {
        /// The tokenizer that needs no file.
        public static let bytesName = "bytes"
        /// The name for an imported model whose tokenizer this program does not read.
        public static let noneName = "none"

        /// `bytes`, `none`, or the name of the file of the SentencePiece model or `tokenizer.json`.
        public var name: String
        /// The bytes of the tokenizer model; empty for `bytes` and `none`.
        public var bytes: [UInt8]
        /// Id of the token that ends documents, which a `tokenizer.json` does not say itself; nil for other tokenizers.
        public var endToken: Int?

        public init(name: String, bytes: [UInt8] = [], endToken: Int? = nil) {
            self.name = name
            self.bytes = bytes
            self.endToken = endToken
        }
    }

    /// Optimizer steps taken, skipped ones included; 0 for an imported checkpoint.
    public var step: Int
    /// Sequences consumed: the position of the next sequence in the training stream.
    public var position: Int
    /// Target positions consumed, ignored ones included.
    public var tokens: Int
    /// Updates that the optimizer has applied, without skipped steps: the count of AdamW's bias correction.
    public var optimizerSteps: Int
    /// JSON text of the resolved configuration; `{}` or empty for an imported checkpoint.
    public var configuration: String
    public var seed: UInt64
    public var model: ModelConfiguration
    public var tokenizer: Tokenizer
    /// JSON text that identifies the training data; not interpreted here.
    public var dataFingerprint: String
    /// Model name of the CPU that wrote the checkpoint.
    public var processor: String
    /// The BLAS backends that were in use.
    public var blas: String
    /// Number of MPI ranks that wrote the checkpoint.
    public var ranksWritten: Int
    /// The shards in order of their numbers.
    public var shards: [ShardRecord]
    /// Losses of the last steps, oldest first, where the run guards against spikes.
    public var recentLosses: [Double]
    /// Consecutive skipped steps up to this checkpoint.
    public var skippedInARow: Int
    /// Occurrences of every token id in the training data; empty where nobody has counted them.
    public var tokenCounts: [Int]
    /// Roles whose token id in the imported directory differs from the tokenizer's.
    ///
    /// An export leaves their ids out.
    public var withheldTokens: Set<TokenRole>
    /// Names of the optimizer's state tensors, in the order in which a shard holds them.
    public var stateTensors: [String]
    /// The carried files of the checkpoint; ``CheckpointStore/complete(_:index:carriedFiles:)`` sets it.
    public internal(set) var carriedFiles: [CarriedFileRecord] = []

    /// The state tensors of a checkpoint whose index names none: AdamW's, and the zeros of an import.
    public static let unnamedStateTensors = ["first_moment", "second_moment"]

    public init(
        step: Int, position: Int, tokens: Int, optimizerSteps: Int, configuration: String, seed: UInt64,
        model: ModelConfiguration, tokenizer: Tokenizer, dataFingerprint: String, processor: String, blas: String,
        ranksWritten: Int, shards: [ShardRecord],
        recentLosses: [Double] = [], skippedInARow: Int = 0, tokenCounts: [Int] = [],
        withheldTokens: Set<TokenRole> = [], stateTensors: [String] = Self.unnamedStateTensors
    ) {
        self.step = step
        self.position = position
        self.tokens = tokens
        self.optimizerSteps = optimizerSteps
        self.configuration = configuration
        self.seed = seed
        self.model = model
        self.tokenizer = tokenizer
        self.dataFingerprint = dataFingerprint
        self.processor = processor
        self.blas = blas
        self.ranksWritten = ranksWritten
        self.shards = shards
        self.recentLosses = recentLosses
        self.skippedInARow = skippedInARow
        self.tokenCounts = tokenCounts
        self.withheldTokens = withheldTokens
        self.stateTensors = stateTensors
    }
}

extension CheckpointIndex {
    /// Checks every value that later code relies on, and returns the place of each run of the flat space.
    ///
    /// - Throws: `corrupt` for a value that no run can have.
    func validated(file: String) throws(CheckpointError) -> [StoredRun] {
        let counts = [
            ("step", step, 0), ("position", position, 0), ("tokens", tokens, 0),
            ("optimizer_steps", optimizerSteps, 0), ("ranks_written", ranksWritten, 1),
            ("skipped_in_a_row", skippedInARow, 0),
        ]
        for (name, value, minimum) in counts where value < minimum {
            throw CheckpointError(.corrupt, file: file, "\(name) is \(value), less than \(minimum)")
        }
        // A total far beyond any text, that still leaves room for percentages.
        let isTotalPossible = tokenCounts.reduce(0) { $0 + Double($1) } < 0x1p56
        guard tokenCounts.isEmpty || tokenCounts.count == model.vocabularySize, isTotalPossible,
            tokenCounts.allSatisfy({ $0 >= 0 })
        else {
            throw CheckpointError(
                .corrupt, file: file, "token_counts does not hold a count for each of \(model.vocabularySize) ids")
        }
        guard Set(stateTensors).count == stateTensors.count, stateTensors.allSatisfy(TensorRole.isStateName) else {
            throw CheckpointError(
                .corrupt, file: file,
                "state_tensors is '\(stateTensors.joined(separator: ","))', not a list of different names")
        }
        guard !shards.isEmpty else { throw CheckpointError(.corrupt, file: file, "it lists no shard") }
        for (number, shard) in shards.enumerated() {
            // Checking the exact name also keeps a path in it from leading out of the directory.
            let expected = ShardRecord.fileName(shard: number, of: shards.count)
            guard shard.fileName == expected else {
                throw CheckpointError(
                    .corrupt, file: file, "shard \(number) is called \(shard.fileName) instead of \(expected)")
            }
            guard shard.byteCount > 0, Hash.isWellFormed(shard.sha256) else {
                throw CheckpointError(.corrupt, file: file, "the size or hash of \(shard.fileName) is malformed")
            }
        }
        try CarriedFileRecord.requireSound(carriedFiles, file: file)
        let elementCount = try ModelRecord.elementCount(of: model, file: file)
        return try StoredRun.covering(elementCount, shards: shards, file: file)
    }
}

extension CheckpointIndex {
    /// Whether `import` wrote the checkpoint, so that no run is behind it.
    public var isImported: Bool { configuration.isEmpty || configuration == "{}" }
}
