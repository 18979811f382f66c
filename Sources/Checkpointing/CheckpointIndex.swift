// CheckpointIndex - everything a checkpoint says about itself apart from the numbers in its shards.

public import LlamaModel
internal import Tensors

/// The content of `checkpoint.h5`.
public struct CheckpointIndex: Sendable, Equatable {
    /// The layout that this program writes and the only one that it reads.
    public static let formatVersion = 1

    /// The tokenizer of the run.
    public struct Tokenizer: Sendable, Equatable {
        /// The tokenizer that needs no file.
        public static let bytesName = "bytes"
        /// An imported model whose tokenizer this program does not read.
        public static let noneName = "none"

        /// `bytes`, `none`, or the name of the SentencePiece model's file.
        public var name: String
        /// The tokenizer model itself; empty for `bytes` and `none`.
        public var bytes: [UInt8]

        public init(name: String, bytes: [UInt8] = []) {
            self.name = name
            self.bytes = bytes
        }
    }

    /// Optimizer steps taken, skipped ones included; 0 for an imported checkpoint.
    public var step: Int
    /// Sequences consumed: the global position of the next one.
    public var position: Int
    /// Target positions consumed, ignored ones included.
    public var tokens: Int
    /// Updates that the optimizer has applied (the count of AdamW's bias correction), without skipped steps.
    public var optimizerSteps: Int
    /// JSON text of the resolved configuration; `{}` or empty for an imported checkpoint.
    public var configuration: String
    public var seed: UInt64
    public var model: ModelConfiguration
    public var tokenizer: Tokenizer
    /// JSON text that identifies the training data; not interpreted here.
    public var dataFingerprint: String
    /// Model of the CPU that ran.
    public var processor: String
    /// The BLAS that ran.
    public var blas: String
    /// Number of MPI ranks that ran.
    public var ranksWritten: Int
    /// The shards in order of their numbers.
    public var shards: [ShardRecord]
    /// Losses of the last steps, oldest first, where the run guards against spikes.
    public var recentLosses: [Double]
    /// Steps before the next one that were skipped, without one in between that was not.
    public var skippedInARow: Int
    /// Occurrences of every token id in the training data; empty where nobody has counted them.
    public var tokenCounts: [Int]
    /// Roles for which the directory that the model was imported from names another id than the tokenizer has.
    ///
    /// An export must leave these out: the tokenizer's ids are not the model's.
    public var withheldTokens: Set<TokenRole>
    /// Names of the optimizer's state tensors, in the order in which a shard holds them.
    public var stateTensors: [String]

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
    /// Checks every value that later code relies on, and returns where each run is stored.
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
        let elementCount = try ModelRecord.elementCount(of: model, file: file)
        return try StoredRun.covering(elementCount, shards: shards, file: file)
    }
}

/// A ``ModelConfiguration`` as it is stored: JSON with the keys of Hugging Face's `config.json`.
struct ModelRecord: Codable, Equatable {
    var hiddenSize: Int
    var intermediateSize: Int
    var hiddenLayerCount: Int
    var attentionHeadCount: Int
    var keyValueHeadCount: Int
    var vocabularySize: Int
    var maxPositionEmbeddings: Int
    var rmsNormEpsilon: Double
    var ropeTheta: Double
    var initializerRange: Double
    var tieWordEmbeddings: Bool

    enum CodingKeys: String, CodingKey {
        case hiddenSize = "hidden_size"
        case intermediateSize = "intermediate_size"
        case hiddenLayerCount = "num_hidden_layers"
        case attentionHeadCount = "num_attention_heads"
        case keyValueHeadCount = "num_key_value_heads"
        case vocabularySize = "vocab_size"
        case maxPositionEmbeddings = "max_position_embeddings"
        case rmsNormEpsilon = "rms_norm_eps"
        case ropeTheta = "rope_theta"
        case initializerRange = "initializer_range"
        case tieWordEmbeddings = "tie_word_embeddings"
    }

    init(_ model: ModelConfiguration) {
        hiddenSize = model.hiddenSize
        intermediateSize = model.intermediateSize
        hiddenLayerCount = model.hiddenLayerCount
        attentionHeadCount = model.attentionHeadCount
        keyValueHeadCount = model.keyValueHeadCount
        vocabularySize = model.vocabularySize
        maxPositionEmbeddings = model.maxPositionEmbeddings
        rmsNormEpsilon = model.rmsNormEpsilon
        ropeTheta = model.ropeTheta
        initializerRange = model.initializerRange
        tieWordEmbeddings = model.tieWordEmbeddings
    }

    var model: ModelConfiguration {
        ModelConfiguration(
            hiddenSize: hiddenSize, intermediateSize: intermediateSize, hiddenLayerCount: hiddenLayerCount,
            attentionHeadCount: attentionHeadCount, keyValueHeadCount: keyValueHeadCount,
            vocabularySize: vocabularySize, maxPositionEmbeddings: maxPositionEmbeddings,
            rmsNormEpsilon: rmsNormEpsilon, ropeTheta: ropeTheta, initializerRange: initializerRange,
            tieWordEmbeddings: tieWordEmbeddings)
    }

    private static let largestSize = ModelConfiguration.largestSize
    private static let mostLayers = ModelConfiguration.mostLayers

    /// Elements of the flat space of `model`.
    ///
    /// - Throws: `corrupt` when the sizes are none that a model can have: they come from a file, and the tensor table
    ///   traps on an empty tensor or an overflow.
    static func elementCount(of model: ModelConfiguration, file: String) throws(CheckpointError) -> Int {
        let sizes = [
            ("hidden_size", model.hiddenSize), ("intermediate_size", model.intermediateSize),
            ("num_attention_heads", model.attentionHeadCount), ("num_key_value_heads", model.keyValueHeadCount),
            ("vocab_size", model.vocabularySize), ("max_position_embeddings", model.maxPositionEmbeddings),
        ]
        for (name, size) in sizes where size < 1 || size > largestSize {
            throw CheckpointError(.corrupt, file: file, "model: \(name) is \(size), not in 1...\(largestSize)")
        }
        guard (0...mostLayers).contains(model.hiddenLayerCount) else {
            throw CheckpointError(
                .corrupt, file: file,
                "model: num_hidden_layers is \(model.hiddenLayerCount), not in 0...\(mostLayers)")
        }
        guard model.hiddenSize % model.attentionHeadCount == 0,
            model.attentionHeadCount % model.keyValueHeadCount == 0
        else {
            throw CheckpointError(
                .corrupt, file: file,
                "model: \(model.attentionHeadCount) heads do not divide hidden_size \(model.hiddenSize), or"
                    + " \(model.keyValueHeadCount) key-value heads do not divide the heads")
        }
        return model.tensorTable.count
    }
}

/// One row of the stored tensor table.
struct TensorRecord: Codable, Equatable {
    var name: String
    var shape: [Int]

    static func table(of model: ModelConfiguration) -> [TensorRecord] {
        model.tensorTable.entries.map { TensorRecord(name: $0.name, shape: $0.shape) }
    }
}

extension CheckpointIndex {
    /// Whether `import` wrote the checkpoint, so that no run is behind it.
    public var isImported: Bool { configuration.isEmpty || configuration == "{}" }
}
