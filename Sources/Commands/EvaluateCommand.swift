// EvaluateCommand - `mile-dist eval`: a checkpoint's unweighted CE on files, per domain and bucket, and its scores on tasks.

internal import Checkpointing
internal import Configuration
internal import Evaluation
internal import Foundation
public import JobRuntime
internal import Kernels
internal import LlamaModel
internal import MessagePassing
public import Reporting
internal import Tensors
internal import TokenData
internal import Training

/// `mile-dist eval CHECKPOINT --data FILE... --tasks FILE...`, one of the two at least.
public struct EvaluateCommand: Sendable {
    public var checkpoint: String
    /// `FILE` or `NAME=FILE`; each is a domain.
    public var data: [String]
    /// T; nil: the one of the training run.
    public var sequenceLength: Int?
    /// Sequences per domain; 0: all.
    public var limit: Int
    public var batchSize: Int
    public var threads: Int
    public var isJSON: Bool
    /// File that receives a line per target.
    public var perToken: String?
    /// Training data, as `FILE` or `NAME=FILE`, whose tokens are counted for the frequency buckets; empty: the counts of the
    /// checkpoint.
    public var counts: [String]
    /// Files of log-likelihood tasks.
    public var tasks: [String]
    /// File that receives a line per document of the tasks.
    public var perDocument: String?

    public init(
        checkpoint: String, data: [String], sequenceLength: Int? = nil, limit: Int = 0, batchSize: Int = 8,
        threads: Int = 0, isJSON: Bool = false, perToken: String? = nil, counts: [String] = [],
        tasks: [String] = [], perDocument: String? = nil
    ) {
        self.checkpoint = checkpoint
        self.data = data
        self.sequenceLength = sequenceLength
        self.limit = limit
        self.batchSize = batchSize
        self.threads = threads
        self.isJSON = isJSON
        self.perToken = perToken
        self.counts = counts
        self.tasks = tasks
        self.perDocument = perDocument
    }

    public func run(_ session: Session) throws -> ExitStatus {
        let loaded = try LoadedModel(session, path: checkpoint)
        // Read before anything is computed, so that their mistakes show at once.
        let evaluation = try tasks.isEmpty ? nil : TaskEvaluation(session, loaded, files: tasks)
        // Not the faster library of this start: the same bits each time and on any number of ranks are worth more.
        let pool = try session.makePool(requested: threads)
        let result = try data.isEmpty ? nil : evaluateData(session, loaded, pool)
        var shown = OccasionalProgress(session.console)
        let taskResults = try evaluation?.run(
            pool: pool, batchSize: batchSize, perDocument: perDocument,
            progress: { if !isJSON { shown.show("tasks", share: $0) } })
        report(session, loaded, result, taskResults ?? [])
        return .done
    }

    /// CE on the files of `--data`; collective.
    private func evaluateData(_ session: Session, _ loaded: LoadedModel, _ pool: ThreadPool) throws -> EvaluationResult
    {
        let communicator = session.communicator
        let T = sequenceLength ?? loaded.sequenceLength
        guard T >= 1, T <= loaded.model.maxPositionEmbeddings else {
            throw ProgramFailure(
                .badInput,
                "--sequence-length \(T): allowed: 1 to the model's max_position_embeddings, "
                    + "\(loaded.model.maxPositionEmbeddings)", isShared: true)
        }
        let ignored = loaded.run?.data.ignoredTargets ?? []
        let own = try communicator.agreed {
            try load(
                session, loaded, NamedFiles.domains(data), .option("--data", loaded.checkpointTokenizer), T, ignored,
                pool)
        }
        let domains = try communicator.agreeingOnOrigins(own)
        if let note = TokenDomain.uncheckedNote(domains) { session.console.warning(note) }
        let transformer = Transformer(
            loaded.model, parameters: .fp32(loaded.parameters), sequenceLength: T, maximumSequences: batchSize,
            forTraining: false, pool: pool)
        let evaluator = Evaluator(
            communicator: communicator, transformer: transformer, domains: domains, limit: limit,
            ignoredTargets: ignored, tokenizer: loaded.tokenizer,
            frequencies: try frequencies(session, loaded, pool))
        let writer = try perToken.map { path in
            try communicator.agreed {
                communicator.rank == 0 ? try JSONLinesFile(path: path, option: "--per-token") : nil
            }
        }
        var shown = OccasionalProgress(session.console)
        let result = try evaluator.run(
            perToken: writer.map { writer in { results in try writer?.append(results.map(\.json)) } },
            progress: { if !isJSON { shown.show("evaluating", share: $0) } })
        try result.requireFinite()
        return result
    }

    /// Loads the files of an option with the checkpoint's tokenizer.
    private func load(
        _ session: Session, _ loaded: LoadedModel, _ files: [DataConfiguration.Domain], _ settings: DataSettingNames,
        _ sequenceLength: Int, _ ignored: [Int32], _ pool: ThreadPool
    ) throws -> [TokenDomain] {
        // A file that is named twice has the same warnings twice.
        var said: Set<String> = []
        let domains = try loadDomains(
            DataConfiguration(
                tokenizer: loaded.tokenizer?.name ?? noTokenizerName, train: [], validation: files,
                sequenceLength: sequenceLength, ignoredTargets: ignored),
            vocabularySize: loaded.model.vocabularySize, purpose: .validation, tokenizer: loaded.tokenizer,
            settings: settings, threads: pool.threadCount,
            warn: { if said.insert($0).inserted { session.console.warning($0) } })
        try TokenDomain.requireOneTokenizer(domains, key: settings.list)
        try loaded.storedTokenizer.requireOrigin(of: domains, key: settings.list)
        return domains
    }

    /// The buckets of the training data: counted in `counts` or, without, as the checkpoint knows them; nil where it does
    /// not, which is said. Collective.
    private func frequencies(_ session: Session, _ loaded: LoadedModel, _ pool: ThreadPool) throws -> FrequencyBuckets?
    {
        let ignored = loaded.run?.data.ignoredTargets ?? []
        guard !counts.isEmpty else {
            if loaded.tokenCounts.isEmpty {
                session.console.warning(
                    "frequency buckets are left out: \(loaded.path) does not hold the counts of its training data; "
                        + "--counts FILE... counts them")
                return nil
            }
            return FrequencyBuckets(counts: loaded.tokenCounts, ignoredTargets: ignored)
        }
        // Every token of the files counts, however they are cut.
        let own = try session.communicator.agreed {
            let settings = DataSettingNames.option(
                "--counts", loaded.checkpointTokenizer, sequenceLength: "a sequence of")
            return try load(session, loaded, NamedFiles.unnamedDomains(counts), settings, 1, [], pool)
        }
        let domains = try session.communicator.agreeingOnOrigins(own)
        let note = TokenDomain.uncheckedNote(domains, consequence: "the buckets are wrong if they have other ids")
        if let note { session.console.warning("--counts: \(note)") }
        var shown = OccasionalProgress(session.console)
        return FrequencyBuckets(
            counts: try TokenCounting(communicator: session.communicator, pool: pool).counts(
                domains, vocabularySize: loaded.model.vocabularySize,
                progress: { if !isJSON { shown.show("counting", share: $0) } }),
            ignoredTargets: ignored)
    }

    /// - Parameters:
    ///   - result: nil without `--data`.
    ///   - taskResults: none without `--tasks`.
    private func report(
        _ session: Session, _ loaded: LoadedModel, _ result: EvaluationResult?, _ taskResults: [TaskResult]
    ) {
        guard !isJSON else {
            let tasks = taskResults.isEmpty ? [] : [("tasks", TaskResult.json(taskResults))]
            return session.console.raw(JSONValue.object((result?.members ?? []) + tasks).text + "\n")
        }
        session.console.line("\(loaded.path), step \(loaded.step)")
        let separator = result != nil && !taskResults.isEmpty ? [""] : []
        for line in (result?.lines ?? []) + separator + TaskResult.lines(taskResults) { session.console.line(line) }
    }
}
