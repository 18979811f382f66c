// TextGeneratorTests - generation with a cache gives the logits of a pass over the whole sequence.

import Foundation
import Kernels
import LlamaModel
import TestSupport
import Tensors
import Testing

struct TextGeneratorTests {
    private static let length = 21

    private func generator(
        _ model: ModelConfiguration, _ parameters: FloatSlice, capacity: Int = length, threads: Int = 1
    ) -> TextGenerator {
        TextGenerator(model, parameters: parameters, capacity: capacity, pool: makePool(threads))
    }

    private func crossEntropy(_ logits: [Float], _ target: Int32) -> Double {
        let largest = Double(logits.max() ?? 0)
        let total = logits.reduce(0) { $0 + exp(Double($1) - largest) }
        return largest + log(total) - Double(logits[Int(target)])
    }

    /// `capacity` is the cache's size, not the sequence's length. A larger cache changes nothing.
    @Test(arguments: TransformerTests.models, [length, 50])
    func tokenByTokenAndInPiecesEqualTheWholeSequence(model: ModelConfiguration, capacity: Int) {
        let parameters = model.randomParameters()
        let tokens = Tokens(model, sequences: 1, length: Self.length)
        let network = Transformer(
            model, parameters: .fp32(parameters), sequenceLength: Self.length, maximumSequences: 1, forTraining: false,
            pool: makePool())
        let expected = network.losses(tokens).crossEntropy.array.doubles
        for pieces in [[Int](repeating: 1, count: Self.length), [1, 7, 2, 11], [20, 1], [Self.length]] {
            let generator = generator(model, parameters, capacity: capacity)
            for piece in pieces {
                let logits = generator.feed(Array(tokens.inputs[generator.position..<(generator.position + piece)]))
                let last = generator.position - 1
                #expect(logits.count == model.vocabularySize)
                // Tolerance in nats, for values up to 10. Sums have another order, and matmuls other kernels.
                #expect(
                    abs(crossEntropy(logits, tokens.targets[last]) - expected[last]) < 5e-6, "\(pieces), token \(last)")
            }
            #expect(generator.position == Self.length)
        }
    }

    @Test func threadsChangeNoBit() {
        let model = ModelConfiguration.parallel
        let parameters = model.randomParameters()
        let tokens = Tokens(model, sequences: 1, length: 80).inputs
        func run(_ threads: Int) -> [Float] {
            let generator = generator(model, parameters, capacity: 80, threads: threads)
            return generator.feed(Array(tokens[..<70])) + generator.feed([tokens[70]])
        }
        let alone = run(1)
        for threads in [2, 3] { #expect(bitDifference(run(threads), alone) == nil) }
    }

    @Test func generatorsAreIndependent() {
        let model = ModelConfiguration.tied
        let parameters = model.randomParameters()
        let (a, b) = (generator(model, parameters), generator(model, parameters))
        _ = a.feed([1, 2, 3])
        _ = b.feed([4, 5])
        let alone = generator(model, parameters)
        _ = alone.feed([1, 2, 3])
        #expect(bitDifference(a.feed([6]), alone.feed([6])) == nil)
        #expect(a.position == 4 && b.position == 2)
    }
}
