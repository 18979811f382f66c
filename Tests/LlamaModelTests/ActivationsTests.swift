// ActivationsTests - planned activation memory equals allocated memory.

import Kernels
import Tensors
import Testing

@testable import LlamaModel

struct ActivationsTests {
    /// Short and long sequences; attention needs more scratch for long ones.
    @Test(arguments: [ModelConfiguration.grouped, .tied, .parallel], [(2, 5), (1, 64)])
    func plannedBytesAreTheAllocation(model: ModelConfiguration, _ size: (Int, Int)) {
        let (B, T) = size
        for threads in [1, 3] {
            for forTraining in [false, true] {
                let network = Transformer(
                    model, parameters: .fp32(model.randomParameters()), sequenceLength: T, maximumSequences: B,
                    forTraining: forTraining, pool: makePool(threads))
                let planned = Transformer.activationBytes(
                    model, sequenceLength: T, sequences: B, threads: threads, forTraining: forTraining)
                #expect(planned == 4 * network.activations.final.arena.count)
            }
        }
    }

    /// By hand for D 24, F 40, Q 24, S 72, 3 heads, V 53, N = 2 * 5: each layer keeps 2 D + 2 + S + Q + H + 2 F floats
    /// a token, all share 2 D + 1, backward adds 2 D. The layers' passes take F, backward S more, and attention's
    /// scratch of 1 * (2 * 64 * T scores + 4 T rows of 8); the head's logits, 53 a token, take less and lie in the same
    /// place.
    @Test func aSmallCaseByHand() {
        let layer = 48 + 2 + 72 + 24 + 3 + 80
        let shared = 48 + 1
        func bytes(_ forTraining: Bool) -> Int {
            Transformer.activationBytes(.tied, sequenceLength: 5, sequences: 2, threads: 1, forTraining: forTraining)
        }
        #expect(bytes(false) == 4 * (10 * (layer + shared + 40) + 640 + 160))
        #expect(bytes(true) == 4 * (10 * (2 * layer + shared + 48 + 40 + 72) + 640 + 160))
    }
}
