// Lion - the sign of interpolated momentum, with decoupled weight decay (Chen et al., arXiv 2302.06675).

public import Kernels
public import Tensors

/// One update of Lion: `u = sign(beta1 m + (1 - beta1) g)`, `p -= rate (u + decay p)`, `m = beta2 m + (1 - beta2) g`.
///
/// The sign of 0 is 0. Epsilon and the number of the update have no effect.
public struct Lion: UpdateRule {
    public static let title = "Lion"
    /// The momentum: a running mean of the gradients.
    public static let stateTensors = ["first_moment"]
    public static let help = UpdateRuleHelp(
        kind:
            "Lion (arXiv 2302.06675), one moment; wants a learning rate 3 to 10 times smaller than AdamW's and a weight "
            + "decay as much larger",
        beta1: "share of the momentum in the update, advised 0.9", beta2: "decay of the momentum, advised 0.99",
        epsilon: "no effect")

    public let configuration: OptimizerConfiguration
    public let learningRate: Double
    public let gradientScale: Double

    public init(configuration: OptimizerConfiguration, learningRate: Double, update: Int, gradientScale: Double) {
        precondition(update >= 1, "updates are counted from 1")
        self.configuration = configuration
        self.learningRate = learningRate
        self.gradientScale = gradientScale
    }

    public func apply(
        _ pool: ThreadPool, parameters: FloatSlice, gradient: FloatSlice, state: [FloatSlice],
        rounded: BFloat16Slice? = nil, decays: Bool
    ) {
        requireSizes(parameters.count, gradient, state, rounded)
        let step = Step(self, decays: decays)
        let (p, g, m) = (parameters.view, gradient.view, state[0].view)
        let half = rounded?.view
        pool.runRanges(count: parameters.count, grain: updateGrain) { range, _ in
            let part = { (view: FloatView) in view.advanced(by: range.lowerBound, count: range.count) }
            let (p, g, m) = (part(p), part(g), part(m))
            let half = half?.advanced(by: range.lowerBound, count: range.count)
            forEachLanes(range.count) { index in
                let (newP, newM) = step.update(p.lanes(at: index), g.lanes(at: index), m.lanes(at: index))
                p.store(newP, at: index)
                half?.store(newP, at: index)
                m.store(newM, at: index)
            }
        }
    }

    /// The constants of one update, in the precision of the parameters.
    private struct Step: Sendable {
        let gradientScale: Float
        let decay: Float
        let rate: Float
        let oneMinusBeta1: Float
        let oneMinusBeta2: Float

        init(_ lion: Lion, decays: Bool) {
            let settings = lion.configuration
            gradientScale = Float(lion.gradientScale)
            decay = Float(decays ? 1 - lion.learningRate * settings.weightDecay : 1)
            rate = Float(lion.learningRate)
            oneMinusBeta1 = Float(1 - settings.beta1)
            oneMinusBeta2 = Float(1 - settings.beta2)
        }

        @inline(__always)
        func update(_ p: Lanes, _ raw: Lanes, _ m: Lanes) -> (Lanes, Lanes) {
            let g = raw * Lanes(repeating: gradientScale)
            let difference = g - m
            let direction = m.addingProduct(difference, Lanes(repeating: oneMinusBeta1))
            let zero = Lanes(repeating: 0)
            var change = zero
            change.replace(with: Lanes(repeating: rate), where: direction .> zero)
            change.replace(with: Lanes(repeating: -rate), where: direction .< zero)
            let newM = m.addingProduct(difference, Lanes(repeating: oneMinusBeta2))
            return (p * Lanes(repeating: decay) - change, newM)
        }
    }
}
