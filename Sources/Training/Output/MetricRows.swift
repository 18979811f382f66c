// MetricRows - the rows of `metrics.jsonl` for optimizer steps and evaluations (design section 5).

public import Kernels

/// A training row.
public struct StepMetrics: Sendable {
    public var step: Int
    /// Positions consumed since step 1, ignored targets included.
    public var tokens: Int
    /// The objective.
    public var loss: Double
    /// Plain mean CE of the same targets, nats.
    public var crossEntropy: Double
    /// Mean H, nats.
    public var entropy: Double
    /// N / sum w.
    public var alpha: Double
    public var learningRate: Double
    /// Before clipping.
    public var gradientNorm: Double
    /// Without evaluation and saving.
    public var stepSeconds: Double
    public var tokensPerSecond: Double
    /// The step was not applied because something in it was not finite.
    public var isSkipped: Bool
    /// Sequences that each rank computed.
    public var rankSequences: [Int] = []
    /// Seconds for which each rank computed them.
    public var rankSeconds: [Double] = []
    /// With `logging.profile`: seconds of rank 0's phases.
    public var phases: [(phase: Phase, seconds: Double)]?

    public var json: JSONValue {
        var pairs: [(key: String, value: JSONValue)] = [
            ("step", .integer(step)), ("tokens", .integer(tokens)), ("loss", .number(loss)),
            ("ce", .number(crossEntropy)), ("entropy", .number(entropy)), ("alpha", .number(alpha)),
            ("lr", .number(learningRate)), ("grad_norm", .number(gradientNorm)),
            ("step_seconds", .number(stepSeconds)), ("tokens_per_second", .number(tokensPerSecond)),
        ]
        if let ranks { pairs.append(("ranks", ranks)) }
        if isSkipped { pairs.append(("skipped", .boolean(true))) }
        if let phases { pairs.append(("phases", .object(phases.map { ($0.phase.name, .number($0.seconds)) }))) }
        return .object(pairs)
    }
}

extension StepMetrics {
    /// What depends on the ranks, and on nothing else of a row: who computed how much, and who took longest.
    private var ranks: JSONValue? {
        guard let slowest = rankSeconds.indices.max(by: { rankSeconds[$0] < rankSeconds[$1] }),
            let fastest = rankSeconds.indices.min(by: { rankSeconds[$0] < rankSeconds[$1] })
        else { return nil }
        return .object([
            ("sequences", .array(rankSequences.map { .integer($0) })), ("slowest", .integer(slowest)),
            ("slowest_seconds", .number(rankSeconds[slowest])), ("fastest", .integer(fastest)),
            ("fastest_seconds", .number(rankSeconds[fastest])),
        ])
    }
}

/// The result of an evaluation, and its row.
public struct EvaluationResult: Sendable, Equatable {
    public struct Domain: Sendable, Equatable {
        public var name: String
        /// Non-ignored targets.
        public var targets: Int
        /// Sum of their CE, nats.
        public var crossEntropySum: Double

        /// Mean CE, nats.
        public var crossEntropy: Double { targets > 0 ? crossEntropySum / Double(targets) : .nan }
    }

    public var domains: [Domain]

    public var targets: Int { domains.reduce(0) { $0 + $1.targets } }

    /// Total CE over total targets, nats.
    public var crossEntropy: Double {
        targets > 0 ? domains.reduce(0) { $0 + $1.crossEntropySum } / Double(targets) : .nan
    }

    public func json(step: Int) -> JSONValue {
        .object([
            ("step", .integer(step)), ("validation_ce", .number(crossEntropy)),
            ("domains", .object(domains.map { ($0.name, .number($0.crossEntropy)) })),
        ])
    }
}
