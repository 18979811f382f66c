// MetricRows - the rows of `metrics.jsonl` for optimizer steps (design section 5).

public import Kernels
public import Reporting

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
    /// The step was not applied: something in it was not finite, its loss was a spike, or no target counted.
    public var isSkipped: Bool
    /// The last of these.
    public var isWithoutTargets = false
    /// Sequences that each rank computed.
    public var rankSequences: [Int] = []
    /// Seconds for which each rank computed them.
    public var rankSeconds: [Double] = []
    /// Where there are several domains: the share of each of the sequences consumed since step 1.
    public var mixture: [(domain: String, fraction: Double)]?
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
        if let mixture { pairs.append(("mixture", .object(mixture.map { ($0.domain, .number($0.fraction)) }))) }
        if isSkipped { pairs.append(("skipped", .boolean(true))) }
        if isWithoutTargets { pairs.append(("no_targets", .boolean(true))) }
        if let phases { pairs.append(("phases", .object(phases.map { ($0.phase.name, .number($0.seconds)) }))) }
        return .object(pairs)
    }
}

extension StepMetrics {
    /// The only part of a row that depends on the ranks: who computed how much, and who took longest.
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
