// VariantsTests - the same network with less memory, and with matmuls of bf16.

import Kernels
import TestSupport
import Tensors
import Testing

@testable import LlamaModel

struct VariantsTests {
    private func network(
        _ model: ModelConfiguration, _ parameters: ParameterReplica, recomputes: Bool = false,
        sharesGradient: Bool = false
    ) -> Transformer {
        Transformer(
            model, parameters: parameters, sequenceLength: 12, maximumSequences: 2, forTraining: true,
            recomputesLayers: recomputes, sharesGradient: sharesGradient, pool: makePool(2))
    }

    private func downcast(_ model: ModelConfiguration, _ values: FloatSlice) -> ParameterReplica {
        let replica = ParameterReplica.bf16(model.tensorTable, staysFP32: \.kind.staysFP32)
        makePool().load(values, into: replica)
        return replica
    }

    /// Recomputation makes the same calls on the same numbers.
    @Test(arguments: TransformerTests.models, [false, true])
    func recomputedLayersGiveTheSameBits(model: ModelConfiguration, isBFloat16: Bool) {
        let values = model.randomParameters()
        let parameters = isBFloat16 ? downcast(model, values) : .fp32(values)
        let tokens = Tokens(model, sequences: 2, length: 12, ignoring: 5)
        let kept = network(model, parameters).gradient(tokens)
        let again = network(model, parameters, recomputes: true).gradient(tokens)
        #expect(bitDifference(again.values, kept.values) == nil)
        #expect(again.sums == kept.sums)
        func bytes(_ recomputes: Bool) -> Int {
            Transformer.activationBytes(
                model, sequenceLength: 12, sequences: 2, threads: 2, forTraining: true, recomputesLayers: recomputes)
        }
        #expect(bytes(true) < bytes(false))
    }

    /// Activations in the gradient's memory: the same bits, and less memory of their own. The models' layers have between
    /// 3,744 and 100,000 parameters; a sequence of 12 tokens fits into some of them.
    @Test(arguments: TransformerTests.models, [false, true])
    func sharedGradientMemoryGivesTheSameBits(model: ModelConfiguration, isBFloat16: Bool) {
        let values = model.randomParameters()
        let parameters = isBFloat16 ? downcast(model, values) : .fp32(values)
        let tokens = Tokens(model, sequences: 1, length: 12, ignoring: 5)
        let expected = network(model, parameters).gradient(tokens)
        let sharing = network(model, parameters, sharesGradient: true)
        sharing.gradient.fill(.nan)
        for _ in 0..<2 {
            let sums = sharing.lossAndGradient(
                tokens.batch(length: 12), weighting: LossConfiguration().tokenWeighting, adding: false
            ) { _ in }
            #expect(bitDifference(sharing.gradient.array, expected.values) == nil)
            #expect(sums == expected.sums)
        }
        func bytes(_ model: ModelConfiguration, _ sharesGradient: Bool) -> Int {
            Transformer.activationBytes(
                model, sequenceLength: 12, sequences: 2, threads: 2, forTraining: true,
                sharesGradient: sharesGradient)
        }
        #expect(bytes(.parallel, true) < bytes(.parallel, false))
    }

    /// bf16 keeps eight bits: some twenty matmuls one after another, each with two rounded operands, differ from fp32's by
    /// less than sixteen times 2^-8 of the gradient's norm, and not by nothing, nor by as much as another sequence's.
    @Test(arguments: TransformerTests.models)
    func bf16GradientsAreNearThoseOfFP32(model: ModelConfiguration) {
        let values = model.randomParameters()
        let tokens = Tokens(model, sequences: 2, length: 12, ignoring: 5)
        let exact = network(model, .fp32(values)).gradient(tokens).values.doubles
        let rounded = network(model, downcast(model, values)).gradient(tokens).values.doubles
        let other = network(model, .fp32(values)).gradient(
            Tokens(model, sequences: 2, length: 12, ignoring: 5, seed: 4)
        ).values.doubles
        func distance(_ a: [Double]) -> Double {
            let difference = zip(a, exact).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            return (difference / exact.reduce(0) { $0 + $1 * $1 }).squareRoot()
        }
        #expect(distance(rounded) < 16 * 0x1p-8)
        #expect(distance(rounded) > 0x1p-12)
        #expect(distance(other) > 0.5)
    }

    /// Biases are read in fp32 too, each group of them as one vector.
    @Test(arguments: ["self_attn.v_proj.bias", "self_attn.o_proj.bias", "mlp.up_proj.bias", "mlp.down_proj.bias"])
    func biasesOfABF16ReplicaAreFP32(name: String) throws {
        let model = ModelConfiguration.biased
        let values = model.randomParameters()
        let tokens = Tokens(model, sequences: 2, length: 12)
        let before = network(model, downcast(model, values)).evaluated(tokens)
        let bias = try #require(model.tensorTable["model.layers.1." + name])
        for index in bias.range { values[index] *= 1 + 0x1p-12 }
        #expect(bitDifference(network(model, downcast(model, values)).evaluated(tokens), before) != nil)
    }

    /// Gains are read in fp32: a change far below bf16's resolution shows in the loss.
    @Test func gainsOfABF16ReplicaAreFP32() {
        let model = ModelConfiguration.grouped
        let values = model.randomParameters()
        let tokens = Tokens(model, sequences: 2, length: 12)
        let before = network(model, downcast(model, values)).evaluated(tokens)
        guard let gain = model.tensorTable["model.norm.weight"] else { return #expect(Bool(false)) }
        for index in gain.range { values[index] *= 1 + 0x1p-12 }
        #expect(bitDifference(network(model, downcast(model, values)).evaluated(tokens), before) != nil)
        // Of a matrix such a change is lost in rounding.
        let same = model.randomParameters()
        guard let matrix = model.tensorTable["lm_head.weight"] else { return #expect(Bool(false)) }
        let replica = downcast(model, same)
        guard case .bf16(let flat, _) = replica else { return #expect(Bool(false)) }
        for index in matrix.range { same[index] = flat.array[index] * (1 + 0x1p-12) }
        #expect(bitDifference(network(model, downcast(model, same)).evaluated(tokens), before) == nil)
    }
}
