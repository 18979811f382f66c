// Trainer - a run from its configuration to its last step.

internal import BLASSelection
internal import Checkpointing
public import Configuration
public import Evaluation
internal import Foundation
public import JobRuntime
package import Kernels
internal import LlamaModel
package import MessagePassing
internal import Optimization
public import Reporting
internal import Sharding
internal import Tensors
package import TokenData
package import Tokenizers

/// Options of `train` that are not configuration.
public struct TrainOptions: Sendable {
    public var resume: ResumeMode
    /// A checkpoint whose weights, and nothing else, a new run starts from.
    public var initializeFrom: String?
    /// With ``ResumeMode/path(_:)``: the name of a branch, for which what is newer is moved aside.
    public var branch: String?
    /// Whether this is the self-test job, which starts over each time and compares its loss at the end.
    public var isSelfTest: Bool
    /// Validate, print memory and layout, and end.
    public var isDryRun: Bool
    /// Say nothing at the start: the output is JSON.
    public var isQuiet: Bool
    /// Where above 0: print the places of so many sequences in the data, and end.
    public var printedOrder: Int

    public init(
        resume: ResumeMode = .auto, initializeFrom: String? = nil, branch: String? = nil, isSelfTest: Bool = false,
        isDryRun: Bool = false,
        isQuiet: Bool = false, printedOrder: Int = 0
    ) {
        self.resume = resume
        self.initializeFrom = initializeFrom
        self.branch = branch
        self.isSelfTest = isSelfTest
        self.isDryRun = isDryRun
        self.isQuiet = isQuiet
        self.printedOrder = printedOrder
    }

    /// The mistake in a combination of options, in words; nil for none.
    public var problem: String? {
        if let branch {
            guard case .path = resume else { return "--branch needs --resume PATH, the checkpoint to go back to." }
            if let problem = Branch.problem(branch) { return problem }
        }
        if isSelfTest, resume != .auto || initializeFrom != nil {
            return "--resume and --initialize-from need a CONFIG: the embedded job starts over each time."
        }
        return nil
    }
}

/// Trains; every rank makes one and calls ``run()``.
public final class Trainer {
    let process: ProcessContext
    package let configuration: RunConfiguration
    let options: TrainOptions
    private let started = ContinuousClock.now

    package var communicator: Communicator { process.communicator }
    var console: Console { process.console }

    public init(_ process: ProcessContext, _ configuration: RunConfiguration, _ options: TrainOptions) {
        self.process = process
        self.configuration = configuration
        self.options = options
    }

    /// Loads data, makes the thread pool, and prints warnings about both; collective.
    package func prepare() throws -> (RunData, ThreadPool) {
        let data = try loadData()
        try requireWork()
        try compareMachines()
        let training = configuration.training
        let pool = try process.makePool(
            requested: training.threads, backends: process.gemmBackends(configuration))
        try warnAboutCores()
        try describePrecision(pool)
        describe(data, pool)
        return (data, pool)
    }

    /// Runs to the last step, or until a signal (``StopRequest/listen()``) or the time limit.
    public func run() throws -> ExitStatus {
        if options.printedOrder > 0 { return try printOrder(options.printedOrder) }
        do {
            return try startAndTrain()
        } catch let stop as ProgramFailure where stop.status == .stoppedEarly {
            console.line(stop.message)
            return stop.status
        }
    }

    private func startAndTrain() throws -> ExitStatus {
        let (data, pool) = try prepare()
        try stopIfAsked()
        if options.isDryRun {
            // It looks at no checkpoint.
            describeMixture(data, after: 0, position: 0)
            return .done
        }

        let store = CheckpointStore(directory: configuration.checkpoint.directory)
        let directory = try communicator.agreed { try openDirectory() }
        try communicator.agreed {
            if communicator.rank == 0 { try prepare(store) }
            try directory?.lockCheckpoints(in: store.directory)
        }
        let checkpoint = try findCheckpoint(directory, store)
        try stopIfAsked()

        // A checkpoint of another model is refused before this model's memory is taken.
        let fingerprint = try agreedFingerprint(data.training)
        var isChanged = false
        if let checkpoint {
            isChanged = try requireSameRun(
                checkpoint, data, fingerprint,
                gemmIdentity: pool.gemmIdentity(configuration.training.precision))
        }
        let weights = checkpoint == nil ? try openInitialWeights(data) : nil
        describeMixture(data, after: checkpoint?.index.step ?? 0, position: checkpoint?.index.position ?? 0)
        try requireMemory(pool)
        let state = TrainingState(configuration, communicator: communicator, pool: pool)
        let tokenizer = try fill(state, from: checkpoint, weights, data, pool: pool)
        // A change may mend a run that skips its steps, so all allowed skips are there again.
        if isChanged { state.progress.skippedInARow = 0 }
        try countTokens(data, state, pool)

        let metrics = try communicator.agreed { try directory.map { try openRun($0, checkpoint, store) } ?? nil }
        let saver = CheckpointSaver(
            communicator: communicator, store: store, optimizer: state.optimizer, pool: pool,
            keep: configuration.checkpoint.keep, keepEvery: configuration.checkpoint.keepEvery,
            carriedFiles: state.carriedFiles,
            beforePublishing: metrics?.synchronizer)
        let saves = RunSaves(
            communicator: communicator, console: console, saver: saver, state: state, metrics: metrics,
            tokenizer: tokenizer, fingerprint: fingerprint, newest: checkpoint?.directory,
            savedStep: try isOwn(checkpoint, store) ? state.progress.step : nil)
        let run = try TrainingRun(
            process: process, configuration: configuration, data: data, state: state, saves: saves, metrics: metrics,
            earlier: metrics?.file, pool: pool, started: started)
        if try run.hasWork() {
            try communicator.agreed { if let directory { try record(in: directory, checkpoint, weights) } }
        }
        if checkpoint == nil, configuration.checkpoint.initial { try saves.finish() }
        let status: ExitStatus
        do {
            status = try run.loop()
        } catch {
            let error = saves.settle(after: error)
            do { try metrics?.finish() } catch let lost { console.warning(ProgramFailure(lost).message) }
            throw error
        }
        try finish(metrics, status)
        if options.isSelfTest, status == .done { return try SelfTestResult(run).report() }
        return status
    }

    /// Whether `checkpoint` lies where this run saves, as rank 0 sees it: all ranks need the same answer. Collective.
    private func isOwn(_ checkpoint: CheckpointReader?, _ store: CheckpointStore) throws -> Bool {
        let isOwn = checkpoint.map { store.holds($0.directory) } ?? false
        return try communicator.isTrueOnAny(communicator.rank == 0 && isOwn)
    }

    /// Rows that cannot be written are an error of a run that has ended, and a warning in one that is to be continued: its
    /// checkpoint is good, and the status says so.
    private func finish(_ metrics: (any MetricsSink)?, _ status: ExitStatus) throws {
        guard status == .stoppedEarly else { return try communicator.agreed { try metrics?.finish() } }
        do { try metrics?.finish() } catch { console.warning(ProgramFailure(error).message) }
    }
}

/// Tokenizer and data of a run.
package struct RunData {
    /// Nil for data.tokenizer none: all data are prepared.
    package let tokenizer: (any Tokenizers.Tokenizer)?
    package let training: TrainingStream
    package let validation: [TokenDomain]
}
