// Eval - `mile-dist eval`: unweighted CE of a checkpoint on files, by domain and bucket, and its scores on tasks.

internal import ArgumentParser
internal import Checkpointing
internal import Configuration
internal import Evaluation
internal import Foundation
internal import JobRuntime
internal import Kernels
internal import LlamaModel
internal import MessagePassing
internal import Reporting
internal import Tensors
internal import TokenData
internal import Tokenizers

/// `mile-dist eval CHECKPOINT --data FILE... --tasks FILE...`, with `--data`, `--tasks` or both.
struct Eval: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Unweighted cross-entropy of a checkpoint on files, and its scores on multiple-choice tasks.",
        discussion: """
            Each file is a domain, named after it or as NAME=FILE. Texts are cut into sequences as in training. \
            Prepared data must have been made with the checkpoint's tokenizer; where PREFIX.json does not say so, bits \
            per byte are left out.

            Buckets: of the target's frequency in training (ids sorted by count and cut at 80 and 95 % of all \
            occurrences: high, medium, low), and of the entropy of the model's prediction, in nats. Calibration is the \
            expected calibration error of the most likely token, in 15 bins.

            A file of tasks has a JSON object per line, in one of three forms, to which "id" may be added:
              {"task": "a", "context": "A man", "choices": ["eats.", "rains."], "label": 0}
              {"task": "b", "context": "She opened the", "completion": " door"}
              {"task": "c", "contexts": ["Ann", "Bob"], "completion": " ran.", "label": 1}
            A choice follows its context behind "delimiter", by default one space; a completion follows as it is. What \
            is reported, and how HellaSwag, PIQA, ARC, BoolQ, LAMBADA and Winogrande become such lines, is on the page \
            EvaluationAndTasks; the names and definitions are those of lm-evaluation-harness.

            Examples:
              mile-dist eval runs/shakespeare/checkpoints --data books.txt code=src.jsonl.zst
              mpirun -n 4 mile-dist eval runs/shakespeare/checkpoints/step-00002000 --data books.txt --json
              mpirun -n 4 mile-dist eval runs/shakespeare/checkpoints --tasks hellaswag.jsonl lambada.jsonl
            """)

    @OptionGroup var checkpoint: CheckpointArgument

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "\(DocumentSource.textSuffixes(joinedBy: "or")) files, or prefixes of prepared data.",
            valueName: "[name=]file"))
    var data: [String] = []

    @Option(
        parsing: .upToNextOption, help: ArgumentHelp("Files of tasks, a JSON object per line.", valueName: "file"))
    var tasks: [String] = []

    @Option(help: "Tokens per sequence (default: as in training).")
    var sequenceLength: Int?

    @Option(help: "Sequences per domain, from its start; 0: all.")
    var sequences = 0

    @Option(help: "Sequences, or choices of tasks, computed at a time.")
    var batchSize = 8

    @OptionGroup var threads: ThreadsPerRankOption

    @OptionGroup var json: JSONFlag

    @Option(help: ArgumentHelp("Write a JSON line per target.", valueName: "file"))
    var perToken: String?

    @Option(help: ArgumentHelp("Write a JSON line per document of the tasks.", valueName: "file"))
    var perDocument: String?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Training data to count for the frequency buckets (default: the counts in the checkpoint).",
            valueName: "[name=]file"))
    var counts: [String] = []

    func validate() throws {
        guard !(data.isEmpty && tasks.isEmpty) else {
            throw ValidationError("Nothing to evaluate: --data or --tasks needs at least one file.")
        }
        guard perToken == nil || !data.isEmpty else { throw ValidationError("--per-token needs --data.") }
        guard perDocument == nil || !tasks.isEmpty else { throw ValidationError("--per-document needs --tasks.") }
        guard sequences >= 0 else { throw ValidationError("--sequences: \(sequences) found; allowed: 0 or more.") }
        guard batchSize >= 1 else { throw ValidationError("--batch-size: \(batchSize) found; allowed: 1 or more.") }
    }

    func run() throws {
        launchOnAllRanks { process in try run(process) }
    }

    private func run(_ process: ProcessContext) throws -> ExitStatus {
        let loaded = try LoadedModel(process, path: checkpoint.path)
        // Tasks are read before anything is computed, so that their mistakes show at once.
        let evaluation = try tasks.isEmpty ? nil : TaskEvaluation(process, loaded, files: tasks)
        // The default library, not the fastest: results then have the same bits at each start, on any number of ranks.
        let pool = try process.makePool(requested: threads.count)
        let result = try data.isEmpty ? nil : evaluateData(process, loaded, pool)
        var shown = OccasionalProgress(process.console)
        let taskResults = try evaluation?.run(
            pool: pool, batchSize: batchSize, perDocument: perDocument,
            progress: { if !json.isJSON { shown.show("tasks", share: $0) } })
        report(process, loaded, result, taskResults ?? [])
        return .done
    }

    /// Evaluates CE on the files of `--data`. Collective.
    private func evaluateData(_ process: ProcessContext, _ loaded: LoadedModel, _ pool: ThreadPool) throws
        -> EvaluationResult
    {
        let communicator = process.communicator
        let T = sequenceLength ?? loaded.sequenceLength
        guard T >= 1, T <= loaded.model.longestSequence else {
            throw ProgramFailure(
                .badInput,
                "--sequence-length \(T): allowed: 1 to the model's \(loaded.model.longestSequenceKey), "
                    + "\(loaded.model.longestSequence)", isShared: true)
        }
        // Without a record of a run, as in an imported model, nothing is masked.
        let trained = loaded.run?.data ?? DataConfiguration(train: [])
        let own = try communicator.agreed {
            try load(
                process, loaded, NamedFiles.domains(data), .option("--data", loaded.checkpointTokenizer), T, trained,
                pool)
        }
        let domains = try communicator.agreeingOnOrigins(own)
        if let note = TokenDomain.uncheckedNote(domains) { process.console.warning(note) }
        let transformer = Transformer(
            loaded.model, parameters: .fp32(loaded.parameters), sequenceLength: T, maximumSequences: batchSize,
            forTraining: false, pool: pool)
        let evaluator = Evaluator(
            communicator: communicator, transformer: transformer, domains: domains, limit: sequences,
            ignoredTargets: trained.ignoredTargets, masksDocuments: trained.documentMask,
            ignoresDocumentStarts: trained.maskDocumentStarts, tokenizer: loaded.tokenizer,
            frequencies: try frequencies(process, loaded, pool))
        let writer = try perToken.map { path in
            try communicator.agreed {
                communicator.rank == 0 ? try JSONLinesFile(path: path, option: "--per-token") : nil
            }
        }
        var shown = OccasionalProgress(process.console)
        let result = try evaluator.run(
            perToken: writer.map { writer in { results in try writer?.append(results.map(\.json)) } },
            progress: { if !json.isJSON { shown.show("evaluating", share: $0) } })
        try result.requireFinite()
        return result
    }

    /// Loads the files of an option with the checkpoint's tokenizer.
    ///
    /// - Parameter masks: the configuration that says what is masked.
    private func load(
        _ process: ProcessContext, _ loaded: LoadedModel, _ files: [DataConfiguration.Domain],
        _ settings: DataSettingNames,
        _ sequenceLength: Int, _ masks: DataConfiguration, _ pool: ThreadPool
    ) throws -> [TokenDomain] {
        // A file that is named twice would give its warnings twice.
        var said: Set<String> = []
        let domains = try loadDomains(
            DataConfiguration(
                tokenizer: loaded.tokenizer?.name ?? noTokenizerName, train: [], validation: files,
                sequenceLength: sequenceLength, ignoredTargets: masks.ignoredTargets,
                documentMask: masks.documentMask, maskDocumentStarts: masks.maskDocumentStarts),
            vocabularySize: loaded.model.vocabularySize, purpose: .validation, tokenizer: loaded.tokenizer,
            settings: settings, threads: pool.threadCount,
            warn: { if said.insert($0).inserted { process.console.warning($0) } })
        try TokenDomain.requireOneTokenizer(domains, key: settings.list)
        try loaded.storedTokenizer.requireOrigin(of: domains, key: settings.list)
        return domains
    }

    /// The frequency buckets: counted in the files of `--counts`, or without them from the checkpoint. Collective.
    ///
    /// - Returns: nil, after a warning, if the checkpoint has no counts.
    private func frequencies(_ process: ProcessContext, _ loaded: LoadedModel, _ pool: ThreadPool) throws
        -> FrequencyBuckets?
    {
        let ignored = loaded.run?.data.ignoredTargets ?? []
        guard !counts.isEmpty else {
            if loaded.tokenCounts.isEmpty {
                process.console.warning(
                    "frequency buckets are left out: \(loaded.path) does not hold the counts of its training data; "
                        + "--counts FILE... counts them")
                return nil
            }
            return FrequencyBuckets(counts: loaded.tokenCounts, ignoredTargets: ignored)
        }
        // Sequences of one token, so that every token of the files counts.
        let own = try process.communicator.agreed {
            let settings = DataSettingNames.option(
                "--counts", loaded.checkpointTokenizer, sequenceLength: "a sequence of")
            return try load(
                process, loaded, NamedFiles.unnamedDomains(counts), settings, 1, DataConfiguration(train: []), pool)
        }
        let domains = try process.communicator.agreeingOnOrigins(own)
        let note = TokenDomain.uncheckedNote(domains, consequence: "the buckets are wrong if they have other ids")
        if let note { process.console.warning("--counts: \(note)") }
        var shown = OccasionalProgress(process.console)
        return FrequencyBuckets(
            counts: try TokenCounting(communicator: process.communicator, pool: pool).counts(
                domains, vocabularySize: loaded.model.vocabularySize,
                progress: { if !json.isJSON { shown.show("counting", share: $0) } }),
            ignoredTargets: ignored)
    }

    /// Prints the results as text or as one JSON object.
    ///
    /// - Parameters:
    ///   - result: nil without `--data`.
    ///   - taskResults: empty without `--tasks`.
    private func report(
        _ process: ProcessContext, _ loaded: LoadedModel, _ result: EvaluationResult?, _ taskResults: [TaskResult]
    ) {
        guard !json.isJSON else {
            let tasks = taskResults.isEmpty ? [] : [("tasks", TaskResult.json(taskResults))]
            return process.console.raw(JSONValue.object((result?.members ?? []) + tasks).text + "\n")
        }
        process.console.line("\(loaded.path), step \(loaded.step)")
        let separator = result != nil && !taskResults.isEmpty ? [""] : []
        for line in (result?.lines ?? []) + separator + TaskResult.lines(taskResults) { process.console.line(line) }
    }
}
