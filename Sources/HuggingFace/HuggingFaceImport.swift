// HuggingFaceImport - a Hugging Face directory turned into a checkpoint at step 0.

public import Checkpointing
internal import JSONReading
public import LlamaModel
internal import SentencePieceText
internal import Tokenizers
internal import Tensors

/// A model's directory of Hugging Face that has passed all checks.
///
/// Its configuration is supported, and its files hold each tensor of the model once, in its shape.
public struct HuggingFaceImport {
    public let model: ModelConfiguration
    public let tokenizer: CheckpointIndex.Tokenizer
    /// Notes for the user, a sentence each.
    public let notes: [String]
    /// Roles whose token id in the directory differs from the tokenizer's.
    private let withheldTokens: Set<TokenRole>
    /// The files that the checkpoint keeps as they are.
    private let carriedFiles: [CarriedFile]
    /// Path of the directory.
    public let directory: String

    private let weights: WeightFiles

    /// Elements of a shard of the checkpoint. Memory holds the zero moments of one shard.
    private static let shardCount = 1 << 26

    /// Reads and checks everything but the values of the weights.
    ///
    /// Nothing of the model's size is allocated before the files' sizes have been checked.
    ///
    /// - Parameters:
    ///   - given: the model's tokenizer; nil: the one of the directory.
    ///   - endToken: for a `tokenizer.json` of the directory, text or id of the token that ends documents; empty: the
    ///     directory's files say so.
    /// - Throws: ``HuggingFaceError``, ``CheckpointError`` for files that cannot be read.
    public init(directory: String, tokenizer given: CheckpointIndex.Tokenizer? = nil, endToken: String = "") throws {
        let directory = Files.trimmingSlashes(directory)
        guard try Files.status(directory) == .directory else {
            throw HuggingFaceError(
                .missing, file: directory,
                try Files.status(directory) == .absent
                    ? "there is no such directory: give one with config.json and model.safetensors, on this machine"
                    : "this is no directory: give the one with config.json and model.safetensors")
        }
        let path = directory + "/" + ModelFiles.configuration
        guard let bytes = try Self.contents(path, limit: HuggingFaceConfiguration.largestByteCount) else {
            throw HuggingFaceError(
                .missing, file: path, "the model's configuration is missing\(try FoundFiles(directory).advice)")
        }
        let tree = try JSONTree(bytes, file: path)
        let configuration = try HuggingFaceConfiguration(tree, file: path)
        model = configuration.model
        weights = try WeightFiles(directory: directory, model: model)
        let found: [String]
        (tokenizer, found) =
            try given.map { ($0, []) }
            ?? Self.tokenizer(directory, vocabularySize: model.vocabularySize, endToken: endToken)
        guard given != nil || endToken.isEmpty || tokenizer.name == HuggingFaceTokenizer.fastName else {
            throw HuggingFaceError(
                .badTokenizer, file: directory,
                "--end-token is for a tokenizer.json, and the import has the tokenizer \(tokenizer.name): leave it out")
        }
        let unused = try UnusedSettings(directory: directory, configuration: tree, tokenizer: tokenizer)
        withheldTokens = unused.withheld
        let carried = try Self.carriedFiles(directory, given: given)
        carriedFiles = carried.files
        let passedOver = configuration.passedOver
        notes =
            found + unused.notes + carried.notes
            + (passedOver.isEmpty
                ? [] : ["\(path): passed over, because it changes nothing: " + passedOver.joined(separator: ", ")])
        self.directory = directory
    }

    /// The section `model` that a run's configuration needs to continue from the checkpoint, in YAML.
    public var modelSection: String { Self.section(of: model) }

    /// A YAML mapping, four keys to a line. Keys that LLaMAs do not need are left out at the value of a LLaMA.
    static func section(of model: ModelConfiguration) -> String {
        let keys = ModelConfiguration.keys.filter { !$0.isAtEarlierValue(in: model) }
        let pairs = keys.map { "\($0.name): \($0.text(in: model))" }
        let lines = stride(from: 0, to: pairs.count, by: 4).map { first in
            pairs[first..<min(first + 4, pairs.count)].joined(separator: ", ")
        }
        return "model: {" + lines.joined(separator: ",\n        ") + "}"
    }

    /// Writes a checkpoint: step 0, zero moments, no run behind it.
    ///
    /// - Parameters:
    ///   - output: a checkpoints directory, or the path `.../step-00000000` in one. It must hold no checkpoint yet.
    ///   - processor: model name of this CPU, for the index.
    ///   - blas: the BLAS backends of this program, for the index.
    /// - Returns: the path of the new step directory.
    /// - Throws: ``HuggingFaceError``, ``CheckpointError``.
    public func write(to output: String, processor: String, blas: String) throws -> String {
        var output = Files.trimmingSlashes(output)
        if Files.name(of: output) == StepName(step: 0).text { output = Files.parent(of: output) }
        let store = CheckpointStore(directory: output)
        if let existing = try store.stepDirectories().first {
            throw HuggingFaceError(
                .destination, file: output,
                "the directory holds a checkpoint already (\(quoted(Files.name(of: existing.path)))): give another")
        }
        let table = model.tensorTable
        let parameters = Arena(count: table.count).all
        try weights.read(table, into: parameters)
        let nonFinite = NonFiniteTensors(table, in: parameters)
        guard nonFinite.isEmpty else {
            throw HuggingFaceError(
                .nonFinite, file: directory,
                "\(nonFinite): the model cannot compute; save it again from one that is whole (fp16 ends at 65504)")
        }

        let temporary = try store.begin(step: 0)
        let zeros = Arena(count: min(Self.shardCount, table.count)).all
        let shardCount = (table.count + Self.shardCount - 1) / Self.shardCount
        let shards = try (0..<shardCount).map { shard in
            let run = (shard * Self.shardCount)..<min(table.count, (shard + 1) * Self.shardCount)
            return try CheckpointStore.writeShard(
                in: temporary, shard: shard, of: shardCount, runs: [run], parameters: [parameters[run]],
                state: CheckpointIndex.unnamedStateTensors.map {
                    StateTensor(name: $0, values: zeros[0..<run.count])
                })
        }
        let index = CheckpointIndex(
            step: 0, position: 0, tokens: 0, optimizerSteps: 0, configuration: "{}", seed: 0, model: model,
            tokenizer: tokenizer, dataFingerprint: "{}", processor: processor, blas: blas, ranksWritten: 1,
            shards: shards, withheldTokens: withheldTokens)
        return try store.complete(temporary, index: index, carriedFiles: carriedFiles)
    }

    /// The files to carry, and notes about those that are left.
    ///
    /// - Parameter given: the tokenizer that the user names, if any.
    private static func carriedFiles(
        _ directory: String, given: CheckpointIndex.Tokenizer?
    ) throws -> (files: [CarriedFile], notes: [String]) {
        let small = try SmallFiles(directory)
        let isByteLevel =
            given?.name == CheckpointIndex.Tokenizer.bytesName
            && small.files.contains { $0.name == HuggingFaceTokenizer.fastName && $0.bytes == ByteLevel.file }
        guard let given, !isByteLevel else { return (small.files, small.notes) }
        let (kept, dropped) = CarriedFile.split(small.files, by: given)
        guard !dropped.isEmpty else { return (kept, small.notes) }
        let note =
            "\(directory): not carried, because the tokenizer is given (\(given.name)) and is none of these files: "
            + dropped.joined(separator: ", ")
        return (kept, small.notes + [note])
    }

    /// The bytes of a file that may be absent.
    ///
    /// - Parameter isJSON: whether the file should hold JSON.
    /// - Throws: ``HuggingFaceError``: `unexpectedContent` for known content other than JSON.
    static func contents(_ path: String, limit: Int, isJSON: Bool = true) throws -> [UInt8]? {
        switch try Files.status(path) {
        case .absent: return nil
        case .file(let byteCount) where byteCount > limit:
            throw HuggingFaceError(
                .badConfiguration, file: path, "the file has \(byteCount) bytes; allowed are at most \(limit)")
        case .file:
            let bytes = try Files.read(path, limit: limit)
            if isJSON, let content = UnexpectedContent(bytes, insteadOf: .json) {
                throw HuggingFaceError(.unexpectedContent, file: path, "\(content.problem); \(content.remedy)")
            }
            return bytes
        case .directory, .other: throw HuggingFaceError(.io, file: path, "this is no regular file")
        }
    }

    /// The tokenizer of the directory: `tokenizer.model`, the byte tokenizer, `tokenizer.json`, or `none` for others.
    private static func tokenizer(
        _ directory: String, vocabularySize: Int, endToken: String
    ) throws -> (CheckpointIndex.Tokenizer, notes: [String]) {
        let limit = HuggingFaceTokenizer.largestByteCount
        let path = directory + "/" + HuggingFaceTokenizer.sentencePieceName
        if let bytes = try contents(path, limit: limit, isJSON: false) {
            // Llama 3's own tokenizer has the same name: without it the model can be trained on prepared files.
            if let content = UnexpectedContent(bytes, insteadOf: .sentencePieceModel), content.isTiktoken {
                let fast = try contents(directory + "/" + HuggingFaceTokenizer.fastName, limit: limit)
                let found = try json(
                    directory, isThere: fast != nil, vocabularySize: vocabularySize, endToken: endToken)
                if case .usable(let tokenizer) = found { return (tokenizer, []) }
                return (
                    CheckpointIndex.Tokenizer(name: CheckpointIndex.Tokenizer.noneName),
                    [
                        "\(path): \(content.problem)\(found.problem): the checkpoint has none, and continues on prepared"
                            + " token files only"
                    ]
                )
            }
            let size = try SentencePieceModel(bytes, file: path).pieces.count
            guard size <= vocabularySize else {
                throw HuggingFaceError(
                    .badTokenizer, file: path,
                    "it has \(size) pieces, more than the model's vocab_size \(vocabularySize)")
            }
            return (CheckpointIndex.Tokenizer(name: HuggingFaceTokenizer.sentencePieceName, bytes: bytes), [])
        }
        let fast = try contents(directory + "/" + HuggingFaceTokenizer.fastName, limit: limit)
        let hasOther = try fast != nil || Files.list(directory).contains(where: CarriedFile.isOfTokenizer)
        // Without files, only a vocabulary of 257 ids tells that this program made the model from bytes.
        if fast == ByteLevel.file ? vocabularySize >= ByteLevel.size : !hasOther && vocabularySize == ByteLevel.size {
            let notes =
                hasOther ? [] : ["\(directory) has no tokenizer: the checkpoint gets the byte tokenizer (ids 0 to 256)"]
            return (CheckpointIndex.Tokenizer(name: CheckpointIndex.Tokenizer.bytesName), notes)
        }
        let found = try json(directory, isThere: fast != nil, vocabularySize: vocabularySize, endToken: endToken)
        if case .usable(let tokenizer) = found { return (tokenizer, []) }
        let reason =
            hasOther
            ? "its tokenizer is not a SentencePiece model (\(HuggingFaceTokenizer.sentencePieceName))\(found.problem)"
            : "it has no tokenizer"
        return (
            CheckpointIndex.Tokenizer(name: CheckpointIndex.Tokenizer.noneName),
            ["\(directory): \(reason): the checkpoint has none, and continues on prepared token files only"]
        )
    }

    private enum FoundJSON {
        case usable(CheckpointIndex.Tokenizer)
        /// The reason in words.
        case unusable(String)
        case absent

        /// The part of a note about a file that cannot be used; empty for others.
        var problem: String {
            guard case .unusable(let words) = self else { return "" }
            return ", and its tokenizer.json cannot be used here (\(words))"
        }
    }

    /// The `tokenizer.json` of the directory.
    ///
    /// - Parameter isThere: whether the directory has one, which ``contents(_:limit:isJSON:)`` has checked.
    /// - Throws: `badTokenizer` for one with more ids than the model, and for an end token that it does not have.
    private static func json(
        _ directory: String, isThere: Bool, vocabularySize: Int, endToken: String
    ) throws -> FoundJSON {
        guard isThere else { return .absent }
        let path = directory + "/" + HuggingFaceTokenizer.fastName
        let tokenizer: any Tokenizers.Tokenizer
        do {
            tokenizer = try makeTokenizer(
                path, endToken: endToken, endKey: "--end-token", needsEnd: !endToken.isEmpty)
        } catch {
            guard endToken.isEmpty else { throw HuggingFaceError(.badTokenizer, file: path, "\(error)") }
            return .unusable("\(error)")
        }
        guard tokenizer.size <= vocabularySize else {
            throw HuggingFaceError(
                .badTokenizer, file: path,
                "it has \(tokenizer.size) ids, more than the model's vocab_size \(vocabularySize)")
        }
        return .usable(
            CheckpointIndex.Tokenizer(
                name: HuggingFaceTokenizer.fastName, bytes: tokenizer.modelBytes,
                endToken: tokenizer.endToken >= 0 ? Int(tokenizer.endToken) : nil))
    }
}
