// Trainer - a run from its configuration to its last step.

internal import Checkpointing
public import Configuration
internal import Foundation
internal import Kernels
internal import LlamaModel
internal import MessagePassing
internal import Optimization
internal import Sharding
internal import Tensors
internal import TokenData

/// Options of `train` that are not configuration.
public struct TrainOptions: Sendable {
    public var resume: ResumeMode
    /// A checkpoint whose weights, and nothing else, a new run starts from.
    public var initializeFrom: String?
    /// The embedded job: starts over each time and judges itself at the end.
    public var isEmbedded: Bool
    /// Validate, print memory and layout, and end.
    public var isDryRun: Bool

    public init(
        resume: ResumeMode = .auto, initializeFrom: String? = nil, isEmbedded: Bool = false, isDryRun: Bool = false
    ) {
        self.resume = resume
        self.initializeFrom = initializeFrom
        self.isEmbedded = isEmbedded
        self.isDryRun = isDryRun
    }
}

/// Trains; every rank makes one and calls ``run()``.
public final class Trainer {
    private let session: Session
    private let configuration: RunConfiguration
    private let options: TrainOptions
    private let started = ContinuousClock.now

    private var communicator: Communicator { session.communicator }
    private var console: Console { session.console }

    public init(_ session: Session, _ configuration: RunConfiguration, _ options: TrainOptions) {
        self.session = session
        self.configuration = configuration
        self.options = options
    }

    /// Runs to the last step, or until a signal or the time limit.
    public func run() throws -> ExitStatus {
        StopRequest.listen()
        let data = try loadData()
        try requireWork()
        try compareMachines()
        let pool = try session.makePool(requested: configuration.training.threads)
        describe(data, pool)
        if options.isDryRun { return .done }

        let directory = try communicator.agreed {
            communicator.rank == 0
                ? try RunDirectory(path: configuration.logging.directory, host: communicator.host) : nil
        }
        let store = CheckpointStore(directory: configuration.checkpoint.directory)
        try communicator.agreed { if communicator.rank == 0 { try prepare(store) } }
        let finder = CheckpointFinder(communicator: communicator, console: console)
        if options.isEmbedded { try startOver(directory, store) }
        let checkpoint = try finder.find(options.isEmbedded ? .never : options.resume, in: store)

        // A checkpoint of another model is refused before this model's memory is taken.
        let stream = data.training
        let fingerprint = try communicator.textFromRankZero { stream.fingerprint }
        if let checkpoint { try requireSameRun(checkpoint, data, fingerprint) }
        let state = TrainingState(configuration, communicator: communicator, pool: pool)
        try fill(state, from: checkpoint, pool: pool, finder: finder)

        let metrics = try communicator.agreed { try directory.map { try openRun($0, isNew: checkpoint == nil) } ?? nil }
        let saver = CheckpointSaver(
            communicator: communicator, store: store, state: state, tokenizer: data.tokenizer, fingerprint: fingerprint)
        let run = TrainingRun(
            session: session, configuration: configuration, data: data, state: state, saver: saver, metrics: metrics,
            pool: pool, started: started)
        if checkpoint == nil, configuration.checkpoint.initial { try run.save() }
        let status = try run.loop()
        if options.isEmbedded, status == .done { return try EmbeddedVerdict(run).judge() }
        return status
    }

    // MARK: - Start

    private func loadData() throws -> RunData {
        let data = configuration.data
        return try communicator.agreed {
            let progress = { (line: String) in self.console.line(line) }
            let vocabulary = configuration.model.vocabularySize
            return RunData(
                tokenizer: try makeTokenizer(data.tokenizer),
                training: try TrainingStream(
                    domains: try loadDomains(data, vocabularySize: vocabulary, purpose: .training, progress: progress),
                    sequenceLength: data.sequenceLength, seed: configuration.training.seed,
                    tokenizerName: data.tokenizer),
                validation: try loadDomains(
                    data, vocabularySize: vocabulary, purpose: .validation, progress: progress))
        }
    }

    /// What depends on the number of ranks and so is not the configuration's to check.
    private func requireWork() throws {
        let training = configuration.training
        if let ranks = TrainingStep.referenceRanks(configuration, ranks: communicator.size),
            training.globalBatchSize % (training.microBatchSize * ranks) != 0
        {
            throw ProgramFailure(
                .badInput,
                "loss.normalization reference: training.global_batch_size \(training.globalBatchSize) is not a multiple of "
                    + "micro_batch_size \(training.microBatchSize) times \(ranks) ranks; set loss.reference_ranks or "
                    + "another batch size.", isShared: true)
        }
        let idle = (0..<communicator.size).filter {
            TrainingStep.units(configuration, rank: $0, ranks: communicator.size).isEmpty
        }
        if !idle.isEmpty {
            console.warning(
                "\(idle.count) of \(communicator.size) ranks have no sequence to compute: training.global_batch_size is "
                    + "\(training.globalBatchSize)")
        }
    }

    /// Ranks that compute with other processors or libraries give other bits than the rest, and often run at another speed.
    private func compareMachines() throws {
        let own = "\(MachineIdentity.processor), \(MachineIdentity.blas)"
        let all = try communicator.allGather(Array("\(communicator.host): \(own)".utf8))
            .map { String(decoding: $0, as: UTF8.self) }
        let kinds = all.map { $0.drop { $0 != ":" } }
        if let other = kinds.firstIndex(where: { $0 != kinds[0] }) {
            console.warning("the ranks' machines differ: rank 0 on \(all[0]); rank \(other) on \(all[other])")
        }
    }

    private func describe(_ data: RunData, _ pool: ThreadPool) {
        let layout = MemoryLayoutPlan(configuration, ranks: communicator.size, ranksOnNode: communicator.nodeSize)
        console.line(layout.summary(threads: pool.threadCount))
        if options.isDryRun { for line in layout.details(threads: pool.threadCount) { console.line(line) } }
    }

    private func prepare(_ store: CheckpointStore) throws {
        do {
            try store.prepare()
        } catch {
            throw ProgramFailure(.badInput, "checkpoint.directory: \(error)")
        }
    }

    /// Removes what an earlier embedded job left: its checkpoints and metrics, nothing else.
    private func startOver(_ directory: RunDirectory?, _ store: CheckpointStore) throws {
        try communicator.agreed {
            guard let directory else { return }
            _ = try store.recover()
            for checkpoint in try store.stepDirectories() {
                try FileManager.default.removeItem(atPath: checkpoint.path)
            }
            try directory.removeMetrics()
        }
    }

    private func requireSameRun(_ checkpoint: CheckpointReader, _ data: RunData, _ fingerprint: String) throws {
        let changes = try communicator.agreed {
            try checkpoint.index.requireSameRun(
                as: configuration, tokenizer: data.tokenizer, fingerprint: fingerprint)
        }
        for change in changes { console.line("changed since the checkpoint: \(change)") }
    }

    private func fill(
        _ state: TrainingState, from checkpoint: CheckpointReader?, pool: ThreadPool, finder: CheckpointFinder
    ) throws {
        if let checkpoint {
            try communicator.agreed { try state.load(checkpoint, rank: communicator.rank) }
            console.line("continuing from \(checkpoint.directory), step \(state.progress.step)")
        } else if let path = options.initializeFrom {
            let source = try finder.open(path)
            try communicator.agreed {
                guard source.index.model.tensorTable == state.table else {
                    throw ProgramFailure(
                        .badInput, "--initialize-from \(path): its tensors are not those of the configured model.")
                }
                try source.read(.parameter, range: 0..<state.table.count, into: state.parameters)
            }
            console.line("new run from the weights of \(source.directory)")
        } else {
            configuration.model.initialize(state.parameters, seed: configuration.training.seed, pool: pool)
        }
    }

    private func openRun(_ directory: RunDirectory, isNew: Bool) throws -> MetricsFile {
        try directory.write(configuration: configuration.yaml)
        if isNew, let name = try directory.setAsideMetrics() { console.line("earlier metrics moved to \(name)") }
        return try MetricsFile(path: directory.metricsPath, holding: directory)
    }
}

/// What a run reads.
struct RunData {
    let tokenizer: any TokenData.Tokenizer
    let training: TrainingStream
    let validation: [TokenDomain]
}
