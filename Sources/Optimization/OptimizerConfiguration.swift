// OptimizerConfiguration - the update rule and its numbers (configuration key `optimizer`).

/// The update rule, its settings, and gradient clipping.
public struct OptimizerConfiguration: Sendable, Equatable {
    /// The update rules. A new rule is a case, its type in ``rule``, and a file with that type.
    public enum Kind: String, Sendable, CaseIterable {
        case adamw
        case lion

        /// The type that implements the rule.
        public var rule: any UpdateRule.Type {
            switch self {
            case .adamw: AdamW.self
            case .lion: Lion.self
            }
        }
    }

    public var kind: Kind
    /// The base learning rate; the schedule multiplies it.
    public var learningRate: Double
    public var beta1: Double
    public var beta2: Double
    public var epsilon: Double
    /// Decoupled weight decay of matrices and embeddings.
    public var weightDecay: Double
    /// Largest norm of the normalised gradient over all parameters; 0: no clipping.
    public var gradientClip: Double

    public init(
        kind: Kind = .adamw, learningRate: Double = 3e-4, beta1: Double = 0.9, beta2: Double = 0.95,
        epsilon: Double = 1e-8, weightDecay: Double = 0.1, gradientClip: Double = 1
    ) {
        self.kind = kind
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.gradientClip = gradientClip
    }
}

extension OptimizerConfiguration {
    /// Names of the tensors that the rule keeps beside the parameters.
    public var stateTensors: [String] { kind.rule.stateTensors }

    /// Bytes that a checkpoint holds per parameter: parameter and state in fp32.
    public var savedBytesPerParameter: Int { MemoryLayout<Float>.stride * (1 + stateTensors.count) }

    /// The rule with the numbers of one update; see
    /// ``UpdateRule/init(configuration:learningRate:update:gradientScale:)``.
    public func makeUpdate(learningRate: Double, number: Int, gradientScale: Double) -> any UpdateRule {
        kind.rule.init(configuration: self, learningRate: learningRate, update: number, gradientScale: gradientScale)
    }

    /// The effect of a key under each rule, in one sentence for the configuration's help.
    public static func help(_ key: KeyPath<UpdateRuleHelp, String>) -> String {
        Kind.allCases.map { "\($0.rawValue): \($0.rule.help[keyPath: key])" }.joined(separator: "; ") + "."
    }
}
