// RMSNormTests - the norm against its definition.

import Kernels
import TestSupport
import Tensors
import Testing

struct RMSNormTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let (N, D): (Int, Int)
        var (x, gain): ([Float], [Float])
        let (outputGradient, inputGradient, gainGradient): ([Float], [Float], [Float])
        static let epsilon: Float = 1e-2
        var testDescription: String { "\(N) x \(D)" }

        init(_ N: Int, _ D: Int) {
            (self.N, self.D) = (N, D)
            var generator = SeededGenerator(seed: UInt64(N * 1000 + D))
            (x, gain) = (generator.normals(N * D), generator.normals(D))
            (outputGradient, inputGradient, gainGradient) = (
                generator.normals(N * D), generator.normals(N * D), generator.normals(D)
            )
        }

        func forward(_ pool: ThreadPool) -> (y: [Float], rstd: [Float]) {
            let (y, rstd) = (GuardedBuffer(count: N * D), GuardedBuffer(count: N))
            RMSNorm.forward(
                pool, x: unaligned(x), gain: unaligned(gain), epsilon: Self.epsilon, into: .fp32(y.slice),
                rstd: rstd.slice)
            #expect(y.isIntact && rstd.isIntact)
            return (y.array, rstd.array)
        }

        func backward(_ pool: ThreadPool, adding: Bool) -> (inputGradient: [Float], gainGradient: [Float]) {
            let rstd = forward(pool).rstd
            let inputGradient = GuardedBuffer(self.inputGradient)
            let gainGradient = adding ? GuardedBuffer(self.gainGradient) : GuardedBuffer(count: D)
            let scratch = GuardedBuffer(count: (N + 63) / 64 * D)
            RMSNorm.backward(
                pool, outputGradient: unaligned(outputGradient), x: unaligned(x), gain: unaligned(gain),
                rstd: unaligned(rstd), inputGradient: inputGradient.slice,
                gainGradient: gainGradient.slice, adding: adding, scratch: scratch.slice)
            #expect(inputGradient.isIntact && gainGradient.isIntact && scratch.isIntact)
            return (inputGradient.array, gainGradient.array)
        }
    }

    static let cases = [
        Case(1, 1), Case(3, 16), Case(5, 20), Case(64, 33), Case(65, 48), Case(200, 300), Case(129, 5), Case(0, 8),
    ]

    /// Tolerance: a few roundings of 2^-24 = 6e-8 per element, sums of up to 300.
    @Test(arguments: cases)
    func forwardEqualsTheDefinition(norm: Case) {
        let (y, rstd) = norm.forward(makePool(2))
        let epsilon = Double(Case.epsilon)
        #expect(
            disagreement(y, Reference.rmsNorm(norm.x.doubles, gain: norm.gain.doubles, epsilon: epsilon), within: 4e-7)
                == nil)
        // Backward recomputes the output with the bits of forward.
        let (again, inputGradient) = (GuardedBuffer(count: norm.N * norm.D), GuardedBuffer(norm.inputGradient))
        let gainGradient = GuardedBuffer(count: norm.D)
        let scratch = GuardedBuffer(count: RMSNorm.scratchCount(tokens: norm.N, features: norm.D))
        RMSNorm.backward(
            makePool(), outputGradient: unaligned(norm.outputGradient), x: unaligned(norm.x),
            gain: unaligned(norm.gain),
            rstd: unaligned(rstd), inputGradient: inputGradient.slice, gainGradient: gainGradient.slice, adding: false,
            output: .fp32(again.slice),
            scratch: scratch.slice)
        #expect(bitDifference(again.array, y) == nil && again.isIntact)
        // A bf16 output is the rounded fp32 output.
        let downcast = BFloat16Slice(count: norm.N * norm.D)
        RMSNorm.forward(
            makePool(), x: unaligned(norm.x), gain: unaligned(norm.gain), epsilon: Case.epsilon, into: .bf16(downcast),
            rstd: unaligned(rstd))
        let rounded = BFloat16Slice(count: y.count)
        makePool().convert(FloatSlice(y), into: rounded)
        #expect(bitDifference(downcast.array, rounded.array) == nil)
        let inPlace = unaligned(norm.x)
        RMSNorm.forward(
            makePool(), x: inPlace, gain: unaligned(norm.gain), epsilon: Case.epsilon, into: .fp32(inPlace),
            rstd: unaligned(rstd))
        #expect(bitDifference(inPlace.array, y) == nil)
    }

    @Test(arguments: cases, [false, true])
    func backwardEqualsTheDefinition(norm: Case, adding: Bool) {
        let (inputGradient, gainGradient) = norm.backward(makePool(2), adding: adding)
        let expected = Reference.rmsNormGradients(
            outputGradient: norm.outputGradient.doubles, x: norm.x.doubles, gain: norm.gain.doubles,
            epsilon: Double(Case.epsilon))
        #expect(
            disagreement(
                inputGradient, zip(expected.inputGradient, norm.inputGradient).map { $0 + Double($1) }, within: 1e-6)
                == nil)
        let sum = zip(expected.gainGradient, norm.gainGradient).map { $0 + (adding ? Double($1) : 0) }
        #expect(disagreement(gainGradient, sum, within: 1e-6) == nil)
    }

    /// Step 2^-6 leaves h^2 / 6 = 4e-5 of the third derivative and 2^-24 / 2h = 2e-6 of rounding; a wrong term leaves
    /// 1e-1.
    @Test func backwardIsTheSlopeOfForward() {
        var norm = Case(3, 5)
        let (inputGradient, gainGradient) = norm.backward(makePool(), adding: false)
        let outputGradient = norm.outputGradient.doubles
        let base = norm
        let slopeOfX = numericalGradient(at: base.x.doubles, step: 0x1p-6) {
            norm.x = $0.floats
            return dot(outputGradient, norm.forward(makePool()).y.doubles)
        }
        #expect(disagreement(zip(inputGradient, base.inputGradient).map { $0 - $1 }, slopeOfX, within: 1e-3) == nil)
        norm.x = base.x
        let slopeOfGain = numericalGradient(at: base.gain.doubles, step: 0x1p-6) {
            norm.gain = $0.floats
            return dot(outputGradient, norm.forward(makePool()).y.doubles)
        }
        #expect(disagreement(gainGradient, slopeOfGain, within: 1e-3) == nil)
    }
}
