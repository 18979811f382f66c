// SwiGLUTests - the gated activation against its definition.

import Kernels
import TestSupport
import Tensors
import Testing

struct SwiGLUTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let (N, F): (Int, Int)
        var gateUp: [Float]
        let outputGradient: [Float]
        var testDescription: String { "\(N) x \(F)" }

        init(_ N: Int, _ F: Int, deviation: Double = 2) {
            (self.N, self.F) = (N, F)
            var generator = SeededGenerator(seed: UInt64(N * 1000 + F))
            (gateUp, outputGradient) = (generator.normals(2 * N * F, deviation: deviation), generator.normals(N * F))
        }

        func forward(_ pool: ThreadPool) -> [Float] {
            let s = GuardedBuffer(count: N * F)
            SwiGLU.forward(pool, gateUp: unaligned(gateUp), features: F, into: .fp32(s.slice))
            #expect(s.isIntact)
            return s.array
        }

        func backward(_ pool: ThreadPool) -> [Float] {
            let buffer = GuardedBuffer(gateUp)
            let output = GuardedBuffer(count: N * F)
            SwiGLU.backward(
                pool, outputGradient: unaligned(outputGradient), features: F, gateUp: buffer.slice,
                into: .fp32(buffer.slice),
                output: .fp32(output.slice))
            #expect(buffer.isIntact && output.isIntact)
            // Backward recomputes the output with the bits of forward.
            #expect(output.array == forward(pool))
            return buffer.array
        }
    }

    /// Tolerance: an exponential and a handful of roundings; gates up to 120 reach the ends of the exponential's range.
    @Test(arguments: [Case(1, 1), Case(3, 16), Case(65, 20), Case(130, 33), Case(64, 48), Case(40, 100, deviation: 40)])
    func equalsTheDefinition(activation: Case) {
        let pool = makePool(2)
        let gateUp = activation.gateUp.doubles
        #expect(
            disagreement(activation.forward(pool), Reference.swiGLU(gateUp, features: activation.F), within: 3e-7)
                == nil)
        let expected = Reference.swiGLUGradient(
            outputGradient: activation.outputGradient.doubles, gateUp: gateUp, features: activation.F)
        #expect(disagreement(activation.backward(pool), expected, within: 5e-7) == nil)
    }

    @Test func extremeGatesStayFinite() {
        for gate in [-1e30, -100, -88, 88, 100, 1e30] as [Float] {
            let s = Arena(count: 1).all
            SwiGLU.forward(makePool(), gateUp: unaligned([gate, 1]), features: 1, into: .fp32(s))
            // For gates below -88 the result is e^-88 times the gate.
            #expect(gate > 0 ? s[0] == gate : abs(s[0]) <= 1e-38 * -gate)
            let gradients = unaligned([gate, 1])
            SwiGLU.backward(
                makePool(), outputGradient: unaligned([1]), features: 1, gateUp: gradients, into: .fp32(gradients),
                output: .fp32(s))
            #expect(gradients[0].isFinite && abs(gradients[0] - (gate > 0 ? 1 : 0)) < 1e-7 + 1e-38 * abs(gate))
        }
    }

    /// Step 2^-6: see RMSNormTests.
    @Test func backwardIsTheSlopeOfForward() {
        var activation = Case(2, 5, deviation: 1)
        let gradient = activation.backward(makePool())
        let slope = numericalGradient(at: activation.gateUp.doubles, step: 0x1p-6) {
            activation.gateUp = $0.floats
            return dot(activation.outputGradient.doubles, activation.forward(makePool()).doubles)
        }
        #expect(disagreement(gradient, slope, within: 1e-3) == nil)
    }
}
