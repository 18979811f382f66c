// OptimizerConfiguration - AdamW's numbers (configuration key `optimizer`).

/// Settings of AdamW and of gradient clipping.
public struct OptimizerConfiguration: Sendable, Equatable {
    /// The base learning rate; the schedule multiplies it.
    public var learningRate: Double
    public var beta1: Double
    public var beta2: Double
    public var epsilon: Double
    /// Decoupled decay of every tensor but norm gains.
    public var weightDecay: Double
    /// Largest norm of the normalised gradient over all parameters; 0: no clipping.
    public var gradientClip: Double

    public init(
        learningRate: Double = 3e-4, beta1: Double = 0.9, beta2: Double = 0.95, epsilon: Double = 1e-8,
        weightDecay: Double = 0.1, gradientClip: Double = 1
    ) {
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.gradientClip = gradientClip
    }
}
