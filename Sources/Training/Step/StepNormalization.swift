// StepNormalization - the loss of a step and the factor on its gradient (`loss.normalization`).

internal import Kernels

/// Turns sums over micro-batches into the step's loss, and into factors on its gradient.
///
/// `global` divides everything by the sum of all weights, in the update. `reference` follows the authors' trainer: each
/// accumulation step is scaled by its own alpha before it is added.
enum StepNormalization {
    case global
    case reference(ReferenceSums)

    /// Means over the accumulation steps of the authors' trainer.
    struct ReferenceSums {
        /// Accumulation steps of an optimizer step.
        let accumulationSteps: Int
        private(set) var loss = 0.0
        private(set) var alpha = 0.0
        /// Factor on the gradient that the update applies.
        private(set) var scale = 1.0

        init(accumulationSteps: Int) { self.accumulationSteps = accumulationSteps }

        /// Takes the sums of an accumulation step, in the order of its micro-batches.
        ///
        /// - Returns: the factor on the accumulation step's gradient. With a single accumulation step the update applies it.
        mutating func add(_ sums: [LossSums]) -> Double {
            let step = ReferenceAccumulationStep(microBatches: sums)
            loss += step.loss / Double(accumulationSteps)
            alpha += step.alpha / Double(accumulationSteps)
            // All micro-batches have the same number of positions, hence the same scale.
            let factor = step.scales[0] / Double(accumulationSteps)
            if accumulationSteps == 1 { scale = factor }
            return factor
        }
    }

    /// The loss of a step, and the factor on the reduced gradient that the update applies.
    ///
    /// - Parameter total: sums over all micro-batches of all ranks.
    func result(_ total: LossSums) -> (loss: NormalizedLoss, scale: Double) {
        let plain = total.normalizedGlobally
        switch self {
        case .global: return (plain, total.globalGradientScale)
        case .reference(let sums):
            let loss = NormalizedLoss(
                loss: sums.loss, crossEntropy: plain.crossEntropy, entropy: plain.entropy, alpha: sums.alpha)
            return (loss, sums.scale)
        }
    }
}
