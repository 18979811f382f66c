// RMSNormTests - the norm against its definition.

import Kernels
import TestSupport
import Tensors
import Testing

struct RMSNormTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let (N, D): (Int, Int)
        var (x, gain): ([Float], [Float])
        let (dy, dx, dgain): ([Float], [Float], [Float])
        static let epsilon: Float = 1e-2
        var testDescription: String { "\(N) x \(D)" }

        init(_ N: Int, _ D: Int) {
            (self.N, self.D) = (N, D)
            var generator = SeededGenerator(seed: UInt64(N * 1000 + D))
            (x, gain) = (generator.normals(N * D), generator.normals(D))
            (dy, dx, dgain) = (generator.normals(N * D), generator.normals(N * D), generator.normals(D))
        }

        func forward(_ pool: ThreadPool) -> (y: [Float], rstd: [Float]) {
            let (y, rstd) = (GuardedBuffer(count: N * D), GuardedBuffer(count: N))
            RMSNorm.forward(
                pool, x: unaligned(x), gain: unaligned(gain), epsilon: Self.epsilon, into: .fp32(y.slice),
                rstd: rstd.slice)
            #expect(y.isIntact && rstd.isIntact)
            return (y.array, rstd.array)
        }

        func backward(_ pool: ThreadPool, adding: Bool) -> (dx: [Float], dgain: [Float]) {
            let rstd = forward(pool).rstd
            let dx = GuardedBuffer(self.dx)
            let dgain = adding ? GuardedBuffer(self.dgain) : GuardedBuffer(count: D)
            let scratch = GuardedBuffer(count: (N + 63) / 64 * D)
            RMSNorm.backward(
                pool, dy: unaligned(dy), x: unaligned(x), gain: unaligned(gain), rstd: unaligned(rstd), dx: dx.slice,
                dgain: dgain.slice, adding: adding, scratch: scratch.slice)
            #expect(dx.isIntact && dgain.isIntact && scratch.isIntact)
            return (dx.array, dgain.array)
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
        // Backward forms the output once more, with the same bits.
        let (again, dx) = (GuardedBuffer(count: norm.N * norm.D), GuardedBuffer(norm.dx))
        let dgain = GuardedBuffer(count: norm.D)
        let scratch = GuardedBuffer(count: RMSNorm.scratchCount(tokens: norm.N, features: norm.D))
        RMSNorm.backward(
            makePool(), dy: unaligned(norm.dy), x: unaligned(norm.x), gain: unaligned(norm.gain),
            rstd: unaligned(rstd), dx: dx.slice, dgain: dgain.slice, adding: false, output: .fp32(again.slice),
            scratch: scratch.slice)
        #expect(bitDifference(again.array, y) == nil && again.isIntact)
        // In bf16 it is the rounded output.
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
        let (dx, dgain) = norm.backward(makePool(2), adding: adding)
        let expected = Reference.rmsNormGradients(
            dy: norm.dy.doubles, x: norm.x.doubles, gain: norm.gain.doubles, epsilon: Double(Case.epsilon))
        #expect(disagreement(dx, zip(expected.dx, norm.dx).map { $0 + Double($1) }, within: 1e-6) == nil)
        let sum = zip(expected.dgain, norm.dgain).map { $0 + (adding ? Double($1) : 0) }
        #expect(disagreement(dgain, sum, within: 1e-6) == nil)
    }

    /// Step 2^-6 leaves h^2 / 6 = 4e-5 of the third derivative and 2^-24 / 2h = 2e-6 of rounding; a wrong term leaves
    /// 1e-1.
    @Test func backwardIsTheSlopeOfForward() {
        var norm = Case(3, 5)
        let (dx, dgain) = norm.backward(makePool(), adding: false)
        let dy = norm.dy.doubles
        let base = norm
        let slopeOfX = numericalGradient(at: base.x.doubles, step: 0x1p-6) {
            norm.x = $0.floats
            return dot(dy, norm.forward(makePool()).y.doubles)
        }
        #expect(disagreement(zip(dx, base.dx).map { $0 - $1 }, slopeOfX, within: 1e-3) == nil)
        norm.x = base.x
        let slopeOfGain = numericalGradient(at: base.gain.doubles, step: 0x1p-6) {
            norm.gain = $0.floats
            return dot(dy, norm.forward(makePool()).y.doubles)
        }
        #expect(disagreement(dgain, slopeOfGain, within: 1e-3) == nil)
    }
}
