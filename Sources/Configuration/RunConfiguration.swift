// RunConfiguration - everything that describes a run, read from YAML and validated.

public import Kernels
public import LlamaModel
public import Optimization
public import TokenData

/// The configuration of one run (design section 4): the structs that the modules own, together.
public struct RunConfiguration: Sendable, Equatable {
    /// The file's base name without extension; the run directory's name where none is given.
    public var name: String
    public var model: ModelConfiguration
    public var data: DataConfiguration
    public var loss: LossConfiguration
    public var optimizer: OptimizerConfiguration
    public var schedule: LearningRateSchedule
    public var training: TrainingConfiguration
    public var evaluation: EvaluationConfiguration
    public var checkpoint: CheckpointConfiguration
    public var logging: LoggingConfiguration

    /// A configuration from its parts, without the checks of `load`. Empty directories become their defaults.
    public init(
        name: String, model: ModelConfiguration, data: DataConfiguration, loss: LossConfiguration = .init(),
        optimizer: OptimizerConfiguration = .init(), schedule: LearningRateSchedule = .init(),
        training: TrainingConfiguration = .init(), evaluation: EvaluationConfiguration = .init(),
        checkpoint: CheckpointConfiguration = .init(), logging: LoggingConfiguration = .init()
    ) {
        self.init(unresolved: name, model: model, data: data)
        self.loss = loss
        self.optimizer = optimizer
        self.schedule = schedule
        self.training = training
        self.evaluation = evaluation
        self.checkpoint = checkpoint
        self.logging = logging
        resolve()
    }

    /// Every default as it is written in a file: directories stay empty.
    init(unresolved name: String, model: ModelConfiguration, data: DataConfiguration) {
        self.name = name
        self.model = model
        self.data = data
        loss = LossConfiguration()
        optimizer = OptimizerConfiguration()
        schedule = LearningRateSchedule()
        training = TrainingConfiguration()
        evaluation = EvaluationConfiguration()
        checkpoint = CheckpointConfiguration()
        logging = LoggingConfiguration()
    }

    /// Fills in the defaults that depend on other values.
    private mutating func resolve() {
        if model.keyValueHeadCount == 0 { model.keyValueHeadCount = model.attentionHeadCount }
        if logging.directory.isEmpty { logging.directory = "runs/\(name)" }
        if checkpoint.directory.isEmpty { checkpoint.directory = "\(logging.directory)/checkpoints" }
    }
}

extension RunConfiguration {
    /// Reads and validates a configuration.
    ///
    /// - Parameters:
    ///   - text: The YAML text.
    ///   - file: What messages call the text.
    ///   - name: The configuration's name, for the default run directory.
    ///   - overrides: `key.path=value` each, applied in order; elements of lists by index (`data.train.0.path=a.txt`).
    /// - Throws: Every wrong key, in the order of the file and then of the overrides; contradictions between keys only
    ///   when every single key is right.
    public static func load(
        text: String, file: String, name: String, overrides: [String] = []
    ) throws(ConfigurationError) -> RunConfiguration {
        let start = Origin(file: file, line: 1)
        guard var node = try YAMLNode.parse(text, origin: start) else {
            throw ConfigurationError(
                [
                    ConfigurationError.Issue(
                        key: "", file: file, found: "an empty configuration",
                        allowed: "a mapping with the keys model, data and others")
                ])
        }
        try node.apply(overrides)
        return try decode(node, name: name)
    }

    private static func decode(_ node: YAMLNode, name: String) throws(ConfigurationError) -> RunConfiguration {
        var run = Schema.defaults
        run.name = name
        var issues = Decoder(fields: Schema.fields).decode(node, key: "", into: &run)
        if issues.isEmpty {
            run.resolve()
            issues = CrossChecks.issues(run, node: node)
        }
        if !issues.isEmpty { throw ConfigurationError(issues) }
        return run
    }

    /// Reads what `json` wrote, its name included.
    ///
    /// - Parameters:
    ///   - json: The text; JSON is read as the YAML that it is.
    ///   - file: What messages call the text.
    public static func fromJSON(_ json: String, file: String) throws(ConfigurationError) -> RunConfiguration {
        let start = Origin(file: file, line: 1)
        guard var node = try YAMLNode.parse(json, origin: start), case .mapping(var pairs) = node.content,
            let index = pairs.firstIndex(where: { $0.key == "name" }),
            case .scalar(.text(let name), _) = pairs[index].value.content
        else {
            throw ConfigurationError(
                at: start, key: "name", found: "no such key", allowed: "the configuration's name as text")
        }
        pairs.remove(at: index)
        node.content = .mapping(pairs)
        return try decode(node, name: name)
    }
}

extension RunConfiguration {
    /// The step after which a run ends: the schedule's last, or an earlier one that was asked for.
    public var lastStep: Int {
        let total = schedule.totalSteps
        return training.stopAtStep > 0 ? min(training.stopAtStep, total) : total
    }
}
