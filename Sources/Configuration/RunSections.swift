// RunSections - the parts of a run's configuration that no other module owns.

public import LinearAlgebra
public import Optimization

/// The settings of a step: batch, precision, threads, limits (configuration key `training`).
public struct TrainingConfiguration: Sendable, Equatable {
    /// Number format of the matmuls.
    public enum Precision: String, Sendable, CaseIterable {
        case fp32
        case bf16
    }

    /// BLAS backend of fp32 matmuls: the fastest one by measurement, or a named one.
    public enum BLAS: RawRepresentable, Sendable, CaseIterable, Equatable {
        case auto
        case backend(any BLASBackend)

        public static var allCases: [BLAS] { [.auto] + BLASBackends.all.map { .backend($0) } }

        public var rawValue: String {
            switch self {
            case .auto: "auto"
            case .backend(let backend): backend.name
            }
        }

        /// Nil for a text that is neither `auto` nor the name of a backend.
        public init?(rawValue: String) {
            guard let value = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
            self = value
        }
    }

    /// Activation checkpointing: which activations the backward pass computes again.
    public enum ActivationCheckpointing: String, Sendable, CaseIterable {
        case none
        case layer
    }

    /// Sequences per optimizer step over all ranks.
    public var globalBatchSize: Int
    /// Most sequences that a rank computes at a time.
    public var microBatchSize: Int
    /// Decides initial values and the order of the data.
    public var seed: UInt64
    public var precision: Precision
    public var reproducible: Bool
    public var blas: BLAS
    public var gradientReduction: GradientReduction
    public var activationCheckpointing: ActivationCheckpointing
    /// Threads of a rank; 0: the cores bound to it.
    public var threads: Int
    /// Evaluate, save and end after this step, the schedule unchanged; 0: `schedule.total_steps`.
    public var stopAtStep: Int
    /// The text of the configuration, such as `12h`; see ``timeLimitSeconds``.
    public var timeLimit: String
    /// Size of a gradient bucket in MiB; 0: chosen by the program.
    public var bucketMiB: Int
    /// Consecutive skipped steps that a run survives.
    public var maximumSkippedSteps: Int
    public var spikeZScore: Double
    /// Longest wait of a rank for others; 0: no limit.
    public var watchdogSeconds: Int

    public init(
        globalBatchSize: Int = 1024, microBatchSize: Int = 4, seed: UInt64 = 111, precision: Precision = .fp32,
        reproducible: Bool = false, blas: BLAS = .auto, gradientReduction: GradientReduction = .reduceScatter,
        activationCheckpointing: ActivationCheckpointing = .none, threads: Int = 0, stopAtStep: Int = 0,
        timeLimit: String = "", bucketMiB: Int = 0, maximumSkippedSteps: Int = 10, spikeZScore: Double = 0,
        watchdogSeconds: Int = 0
    ) {
        self.globalBatchSize = globalBatchSize
        self.microBatchSize = microBatchSize
        self.seed = seed
        self.precision = precision
        self.reproducible = reproducible
        self.blas = blas
        self.gradientReduction = gradientReduction
        self.activationCheckpointing = activationCheckpointing
        self.threads = threads
        self.stopAtStep = stopAtStep
        self.timeLimit = timeLimit
        self.bucketMiB = bucketMiB
        self.maximumSkippedSteps = maximumSkippedSteps
        self.spikeZScore = spikeZScore
        self.watchdogSeconds = watchdogSeconds
    }

    /// `timeLimit` in seconds; nil: no limit (also for a text that is no time, which `RunConfiguration.load` refuses).
    public var timeLimitSeconds: Int? { TimeLimit.seconds(timeLimit) }
}

/// When and on how much the model is evaluated (configuration key `evaluation`).
public struct EvaluationConfiguration: Sendable, Equatable {
    /// Steps between evaluations; the last step is always followed by one.
    public var every: Int
    /// Sequences of each validation domain, from its start; 0: all.
    public var sequences: Int

    public init(every: Int = 1000, sequences: Int = 256) {
        self.every = every
        self.sequences = sequences
    }
}

/// When and where checkpoints are written, and which are kept (configuration key `checkpoint`).
public struct CheckpointConfiguration: Sendable, Equatable {
    /// `<logging.directory>/checkpoints` unless given.
    public var directory: String
    /// Steps between checkpoints; the last step is always followed by one.
    public var every: Int
    /// Newest checkpoints that are kept.
    public var keep: Int
    /// For each multiple of this step the first checkpoint at or after it is kept for good; 0: none.
    public var keepEvery: Int
    /// Whether step 0 is written too.
    public var initial: Bool

    public init(directory: String = "", every: Int = 1000, keep: Int = 3, keepEvery: Int = 0, initial: Bool = false) {
        self.directory = directory
        self.every = every
        self.keep = keep
        self.keepEvery = keepEvery
        self.initial = initial
    }
}

/// The run directory, and the output of a run (configuration key `logging`).
public struct LoggingConfiguration: Sendable, Equatable {
    /// A metrics sink: a file of the run directory that receives rows of the metrics.
    public enum Sink: String, Sendable, CaseIterable {
        /// Every row as JSON; always there, because a resume reads it.
        case jsonl
        /// The numbers of the training rows as a table.
        case csv

        public var fileName: String { "metrics.\(rawValue)" }
    }

    /// The run directory; `runs/<configuration's name>` unless given.
    public var directory: String
    /// Steps between progress lines. `metrics.jsonl` has every step.
    public var every: Int
    public var profile: Bool
    public var sinks: [Sink]

    public init(directory: String = "", every: Int = 1, profile: Bool = false, sinks: [Sink] = [.jsonl]) {
        self.directory = directory
        self.every = every
        self.profile = profile
        self.sinks = sinks
    }
}
