// AdamW - decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101) in one pass over a shard.

internal import CVectorMath
internal import Glibc
public import Kernels
public import Tensors

/// One update of AdamW: decay first, bias-corrected moments, epsilon outside of the root, as in `torch.optim.AdamW`.
public struct AdamW: UpdateRule {
    public static let title = "AdamW"
    /// Running means of the gradients and of the squared gradients.
    public static let stateTensors = ["first_moment", "second_moment"]
    public static let help = UpdateRuleHelp(
        kind: "AdamW (arXiv 1711.05101), two moments", beta1: "decay of the first moment",
        beta2: "decay of the second moment", epsilon: "added outside the root")

    public let configuration: OptimizerConfiguration
    public let learningRate: Double
    public let update: Int
    public let gradientScale: Double

    public init(configuration: OptimizerConfiguration, learningRate: Double, update: Int, gradientScale: Double) {
        precondition(update >= 1, "Adam's bias correction counts updates from 1")
        self.configuration = configuration
        self.learningRate = learningRate
        self.update = update
        self.gradientScale = gradientScale
    }

    public func apply(
        _ pool: ThreadPool, parameters: FloatSlice, gradient: FloatSlice, state: [FloatSlice],
        rounded: BFloat16Slice? = nil, decays: Bool
    ) {
        requireSizes(parameters.count, gradient, state, rounded)
        let step = Step(self, decays: decays)
        let (p, g, m, v) = (parameters.view, gradient.view, state[0].view, state[1].view)
        let half = rounded?.view
        pool.runRanges(count: parameters.count, grain: updateGrain) { range, _ in
            let part = { (view: FloatView) in view.advanced(by: range.lowerBound, count: range.count) }
            let (p, g, m, v) = (part(p), part(g), part(m), part(v))
            let half = half?.advanced(by: range.lowerBound, count: range.count)
            forEachLanes(range.count) { index in
                let (newP, newM, newV) = step.update(
                    p.lanes(at: index), g.lanes(at: index), m.lanes(at: index), v.lanes(at: index))
                p.store(newP, at: index)
                half?.store(newP, at: index)
                m.store(newM, at: index)
                v.store(newV, at: index)
            }
        }
    }

    /// The constants of one update, in the precision of the parameters.
    private struct Step: Sendable {
        let gradientScale: Float
        let decay: Float
        let oneMinusBeta1: Float
        let beta2: Float
        let oneMinusBeta2: Float
        let stepSize: Float
        let inverseRootOfCorrection2: Float
        let epsilon: Float

        init(_ adam: AdamW, decays: Bool) {
            let settings = adam.configuration
            let correction1 = 1 - pow(settings.beta1, Double(adam.update))
            let correction2 = 1 - pow(settings.beta2, Double(adam.update))
            gradientScale = Float(adam.gradientScale)
            decay = Float(decays ? 1 - adam.learningRate * settings.weightDecay : 1)
            oneMinusBeta1 = Float(1 - settings.beta1)
            beta2 = Float(settings.beta2)
            oneMinusBeta2 = Float(1 - settings.beta2)
            stepSize = Float(adam.learningRate / correction1)
            inverseRootOfCorrection2 = Float(1 / correction2.squareRoot())
            epsilon = Float(settings.epsilon)
        }

        @inline(__always)
        func update(_ p: Lanes, _ raw: Lanes, _ m: Lanes, _ v: Lanes) -> (Lanes, Lanes, Lanes) {
            let g = raw * Lanes(repeating: gradientScale)
            let newM = m.addingProduct(g - m, Lanes(repeating: oneMinusBeta1))
            let newV = (v * Lanes(repeating: beta2)).addingProduct(g * g, Lanes(repeating: oneMinusBeta2))
            let root = cvectormath_square_root(newV)
            let denominator = Lanes(repeating: epsilon)
                .addingProduct(root, Lanes(repeating: inverseRootOfCorrection2))
            let decayed = p * Lanes(repeating: decay)
            return (decayed - Lanes(repeating: stepSize) * newM / denominator, newM, newV)
        }
    }
}
