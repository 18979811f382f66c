// GradientTests - the gradient of the whole network against differences of its loss.

import Kernels
import LlamaModel
import TestSupport
import Tensors
import Testing

struct GradientTests {
    /// Along two directions per tensor (the gradient's own with a random one added, so that the slope is never lost in
    /// rounding) the slope of `sum w CE`, with w held, is the gradient's projection.
    ///
    /// Central differences of fourth order: `(8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h`. The network computes in single
    /// precision: with about 1e-6 of noise in a loss near 100 the step is chosen to change it by 0.1 in the first
    /// order, which leaves 1e-3 of noise and, here, less of truncation.
    @Test(arguments: TransformerTests.models, TransformerTests.losses)
    func everyTensorsGradientIsTheSlopeOfTheLoss(model: ModelConfiguration, loss: LossConfiguration) {
        check(model, loss, Tokens(model, sequences: 2, length: 12, ignoring: 6))
    }

    /// Documents of one to nine tokens.
    @Test(arguments: TransformerTests.models)
    func documentMasksKeepTheGradientTheSlope(model: ModelConfiguration) {
        check(
            model, LossConfiguration(),
            Tokens(model, sequences: 2, length: 12, ignoring: 6).documents(at: [1, 5, 12, 21]))
    }

    private func check(_ model: ModelConfiguration, _ loss: LossConfiguration, _ tokens: Tokens) {
        let parameters = model.randomParameters()
        let network = Transformer(
            model, parameters: .fp32(parameters), sequenceLength: 12, maximumSequences: 2, forTraining: true,
            pool: makePool())
        let gradient = network.gradient(tokens, loss).values
        let weights = network.losses(tokens, loss).weight.array.doubles

        func objective() -> Double {
            dot(weights, network.losses(tokens, loss).crossEntropy.array.doubles)
        }
        var generator = SeededGenerator(seed: 17)
        for entry in model.tensorTable.entries {
            let tensor = parameters[entry.range]
            let original = tensor.array
            let slopes = Array(gradient[entry.range]).doubles
            let size = dot(slopes, slopes).squareRoot()
            #expect(size > 1e-3, "\(entry.name) has a gradient")
            for _ in 0..<2 {
                let random = generator.normals(entry.count).doubles
                let length = dot(random, random).squareRoot()
                let direction = zip(slopes, random).map { $0 / size + $1 / length }
                let projection = dot(slopes, direction)
                let step = 0.1 / abs(projection)
                func along(_ steps: Double) -> Double {
                    tensor.copy(from: zip(original, direction).map { Float(Double($0) + steps * step * $1) })
                    defer { tensor.copy(from: original) }
                    return objective()
                }
                let slope = (8 * (along(1) - along(-1)) - (along(2) - along(-2))) / (12 * step)
                #expect(abs(slope - projection) <= 1e-3 * abs(projection), "\(entry.name): \(slope), \(projection)")
            }
        }
    }
}
