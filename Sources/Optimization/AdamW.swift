// AdamW - decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101) in one pass over a shard.

internal import CVectorMath
internal import Glibc
public import Kernels
public import Tensors

/// One update of a run of the flat space, as `torch.optim.AdamW` makes it: decay first, bias-corrected moments, epsilon
/// outside of the root.
public struct AdamW: Sendable {
    public let configuration: OptimizerConfiguration
    /// Learning rate of this update.
    public let learningRate: Double
    /// Number of this update, counted from 1 and without skipped steps.
    public let update: Int
    /// What the raw gradient is multiplied with: normaliser times clip factor.
    public let gradientScale: Double

    public init(configuration: OptimizerConfiguration, learningRate: Double, update: Int, gradientScale: Double) {
        precondition(update >= 1, "Adam's bias correction counts updates from 1")
        self.configuration = configuration
        self.learningRate = learningRate
        self.update = update
        self.gradientScale = gradientScale
    }

    /// Elements per task.
    private static let grain = 1 << 14

    /// Updates `parameters` and both moments of one run; all slices have the same count.
    ///
    /// - Parameters:
    ///   - gradient: raw, unscaled.
    ///   - rounded: receives the new parameters in bf16 as well, where wanted.
    ///   - decays: whether weight decay applies (not to norm gains).
    public func apply(
        _ pool: ThreadPool, parameters: FloatSlice, gradient: FloatSlice, firstMoment: FloatSlice,
        secondMoment: FloatSlice, rounded: BFloat16Slice? = nil, decays: Bool
    ) {
        let count = parameters.count
        precondition(
            gradient.count == count && firstMoment.count == count && secondMoment.count == count
                && (rounded?.count ?? count) == count,
            "AdamW: buffers of different sizes")
        let step = Step(self, decays: decays)
        let (p, g, m, v) = (parameters.view, gradient.view, firstMoment.view, secondMoment.view)
        let half = rounded?.view
        pool.runRanges(count: count, grain: Self.grain) { range, _ in
            var index = range.lowerBound
            while index + laneCount <= range.upperBound {
                let (newP, newM, newV) = step.update(
                    p.lanes(at: index), g.lanes(at: index), m.lanes(at: index), v.lanes(at: index))
                p.store(newP, at: index)
                half?.store(newP, at: index)
                m.store(newM, at: index)
                v.store(newV, at: index)
                index += laneCount
            }
            guard index < range.upperBound else { return }
            let rest = range.upperBound - index
            let (pRest, gRest) = (p.advanced(by: index, count: rest), g.advanced(by: index, count: rest))
            let (mRest, vRest) = (m.advanced(by: index, count: rest), v.advanced(by: index, count: rest))
            let (newP, newM, newV) = step.update(
                pRest.partialLanes(at: 0, padding: 0), gRest.partialLanes(at: 0, padding: 0),
                mRest.partialLanes(at: 0, padding: 0), vRest.partialLanes(at: 0, padding: 0))
            pRest.storePartial(newP, at: 0)
            half?.advanced(by: index, count: rest).storePartial(newP, at: 0)
            mRest.storePartial(newM, at: 0)
            vRest.storePartial(newV, at: 0)
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
