// ReferenceLayerTests - the references against closed forms, and their gradients against finite differences.

import TestSupport
import Testing

/// Central differences in double with step 1e-5 leave about 1e-10; a wrong term would leave 1e-2.
private let tolerance = 1e-8

struct ReferenceLayerTests {
    private func normals(_ count: Int, seed: UInt64) -> [Double] {
        var generator = SeededGenerator(seed: seed)
        return generator.normals(count).doubles
    }

    @Test func matmulInEveryTranspose() {
        // [1 2; 3 4; 5 6] [7 8 9; 10 11 12], written down by hand.
        let expected: [Double] = [27, 30, 33, 61, 68, 75, 95, 106, 117]
        for (a, aTransposed) in [([1.0, 2, 3, 4, 5, 6], false), ([1, 3, 5, 2, 4, 6], true)] {
            for (b, bTransposed) in [([7.0, 8, 9, 10, 11, 12], false), ([7, 10, 8, 11, 9, 12], true)] {
                let result = Reference.matmul(
                    a, b, m: 3, n: 3, k: 2, aTransposed: aTransposed, bTransposed: bTransposed)
                #expect(result == expected)
            }
        }
    }

    @Test func rmsNorm() {
        // mean(1, 49) = 25, so that the row is divided by 5.
        #expect(disagreement(Reference.rmsNorm([1, 7], gain: [2, 10], epsilon: 0), [0.4, 14], within: 1e-15) == nil)
        let (x, gain, outputGradient) = (normals(15, seed: 1), normals(5, seed: 2), normals(15, seed: 3))
        let gradients = Reference.rmsNormGradients(outputGradient: outputGradient, x: x, gain: gain, epsilon: 0.1)
        let inputGradient = numericalGradient(at: x) {
            dot(outputGradient, Reference.rmsNorm($0, gain: gain, epsilon: 0.1))
        }
        let gainGradient = numericalGradient(at: gain) {
            dot(outputGradient, Reference.rmsNorm(x, gain: $0, epsilon: 0.1))
        }
        #expect(disagreement(gradients.inputGradient, inputGradient, within: tolerance) == nil)
        #expect(disagreement(gradients.gainGradient, gainGradient, within: tolerance) == nil)
    }

    @Test func rotary() {
        // One pair turned by one radian per position; theta^(-2/4) = 0.5 for the second of two pairs at theta 4.
        #expect(
            disagreement(
                Reference.rotary([1, 0], position: 1, theta: 10_000), [0.5403023058681398, 0.8414709848078965],
                within: 1e-15) == nil)
        let turned = Reference.rotary([0, 1, 0, 0], position: 2, theta: 4)
        #expect(disagreement(turned, [0, 0.5403023058681398, 0, 0.8414709848078965], within: 1e-15) == nil)
        let (x, outputGradient) = (normals(6, seed: 4), normals(6, seed: 5))
        let inputGradient = numericalGradient(at: x) {
            dot(outputGradient, Reference.rotary($0, position: 7, theta: 100))
        }
        #expect(
            disagreement(
                Reference.rotaryGradient(outputGradient, position: 7, theta: 100), inputGradient, within: tolerance)
                == nil)
    }

    @Test func attentionOfEqualScoresIsTheRunningMean() {
        // Zero queries: every visible key weighs the same, lse_i = ln(i + 1).
        let attention = ReferenceAttention(sequences: 1, positions: 3, heads: 1, keyValueHeads: 1, headSize: 1)
        let qkv: [Double] = [0, 5, 1, 0, -2, 3, 0, 9, 8]
        #expect(disagreement(attention.output(qkv), [1, 2, 4], within: 1e-15) == nil)
        #expect(
            disagreement(attention.logSumExp(qkv), [0, 0.6931471805599453, 1.0986122886681098], within: 1e-15) == nil)
    }

    @Test func attentionScalesScoresAndSharesKeys() {
        // Two heads of four features share keys [0...] and [ln 3, 0...]: q = (2, 0, 0, 0) gives the scores 0 and ln 3,
        // hence weights 1/4 and 3/4 for head 1; head 0 has q = 0 and weights 1/2.
        let ln3 = 1.0986122886681098
        let attention = ReferenceAttention(sequences: 1, positions: 2, heads: 2, keyValueHeads: 1, headSize: 4)
        let zeros = [Double](repeating: 0, count: 8)
        let first = zeros + [0, 0, 0, 0] + [4, 8, 0, 0]
        let second = [0, 0, 0, 0, 2, 0, 0, 0] + [ln3, 0, 0, 0] + [0, 4, 8, 0]
        let output = attention.output(first + second)
        #expect(disagreement(Array(output[8...]), [2, 6, 4, 0, 1, 5, 6, 0], within: 1e-15) == nil)
    }

    @Test(arguments: [1, 2, 4])
    func attentionGradient(keyValueHeads: Int) {
        let attention = ReferenceAttention(
            sequences: 2, positions: 3, heads: 4, keyValueHeads: keyValueHeads, headSize: 2)
        let qkv = normals(2 * 3 * (4 + 2 * keyValueHeads) * 2, seed: 6)
        let outGradient = normals(2 * 3 * 8, seed: 7)
        let expected = numericalGradient(at: qkv) { dot(outGradient, attention.output($0)) }
        #expect(disagreement(attention.gradient(qkv, outputGradient: outGradient), expected, within: tolerance) == nil)
    }

    @Test func swiGLU() {
        // silu(ln 3) = ln 3 * 3/4.
        #expect(
            disagreement(
                Reference.swiGLU([1.0986122886681098, 0, 4, 9], features: 2), [3.2958368660043291, 0], within: 1e-15)
                == nil)
        let (gateUp, outputGradient) = (normals(12, seed: 8), normals(6, seed: 9))
        let expected = numericalGradient(at: gateUp) { dot(outputGradient, Reference.swiGLU($0, features: 3)) }
        let gradient = Reference.swiGLUGradient(outputGradient: outputGradient, gateUp: gateUp, features: 3)
        #expect(disagreement(gradient, expected, within: tolerance) == nil)
    }

    @Test func embedding() {
        let table = normals(10, seed: 10)
        let tokens: [Int32] = [4, 0, 4]
        #expect(Reference.embedding(tokens: tokens, table: table, features: 2) == [8, 9, 0, 1, 8, 9].map { table[$0] })
        let outputGradient = normals(6, seed: 11)
        let expected = numericalGradient(at: table) {
            dot(outputGradient, Reference.embedding(tokens: tokens, table: $0, features: 2))
        }
        let gradient = Reference.embeddingGradient(
            tokens: tokens, outputGradient: outputGradient, vocabulary: 5, features: 2)
        #expect(disagreement(gradient, expected, within: tolerance) == nil)
    }
}
