// HeadNormTests - the norm of heads of queries and keys against the definition of RMSNorm.

import Kernels
import TestSupport
import Tensors
import Testing

struct HeadNormTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let (N, queryHeads, keyHeads, headSize, padding): (Int, Int, Int, Int, Int)
        var x: [Float]
        var (queryGain, keyGain): ([Float], [Float])
        let (outputGradient, gainGradients): ([Float], [Float])
        static let epsilon: Float = 1e-2
        var norm: HeadNorm { HeadNorm(queryHeads: queryHeads, keyHeads: keyHeads, headSize: headSize) }
        var stride: Int { norm.heads * headSize + padding }
        var testDescription: String { "\(N) tokens, \(queryHeads) + \(keyHeads) heads of \(headSize), \(padding) more" }

        init(_ N: Int, _ queryHeads: Int, _ keyHeads: Int, _ headSize: Int, padding: Int) {
            (self.N, self.queryHeads, self.keyHeads) = (N, queryHeads, keyHeads)
            (self.headSize, self.padding) = (headSize, padding)
            let count = N * ((queryHeads + keyHeads) * headSize + padding)
            var generator = SeededGenerator(seed: UInt64(N * 1000 + headSize))
            (x, outputGradient) = (generator.normals(count), generator.normals(count))
            (queryGain, keyGain) = (generator.normals(headSize), generator.normals(headSize))
            gainGradients = generator.normals(2 * headSize)
        }

        func forward(_ pool: ThreadPool) -> (y: [Float], input: [Float], rstd: [Float]) {
            let (y, input) = (GuardedBuffer(x), GuardedBuffer(count: N * norm.heads * headSize))
            let rstd = GuardedBuffer(count: N * norm.heads)
            norm.forward(
                pool, y.slice, stride: stride, gains: unaligned(queryGain + keyGain),
                epsilon: Self.epsilon, input: input.slice, rstd: rstd.slice)
            #expect(y.isIntact && input.isIntact && rstd.isIntact)
            return (y.array, input.array, rstd.array)
        }

        func backward(_ pool: ThreadPool, adding: Bool) -> (inputGradient: [Float], gainGradients: [Float]) {
            let kept = forward(pool)
            let gradient = GuardedBuffer(outputGradient)
            let gains = adding ? GuardedBuffer(gainGradients) : GuardedBuffer(count: 2 * headSize)
            let scratch = GuardedBuffer(count: norm.scratchCount(tokens: N))
            norm.backward(
                pool, gradient.slice, stride: stride, gains: unaligned(queryGain + keyGain),
                input: unaligned(kept.input), rstd: unaligned(kept.rstd), gainGradients: gains.slice, adding: adding,
                scratch: scratch.slice)
            #expect(gradient.isIntact && gains.isIntact && scratch.isIntact)
            return (gradient.array, gains.array)
        }

        /// The range of a head in the rows, and its gain.
        func eachHead(_ body: (_ range: Range<Int>, _ isQuery: Bool, _ gain: [Double]) -> Void) {
            for n in 0..<N {
                for head in 0..<norm.heads {
                    let start = n * stride + head * headSize
                    let isQuery = head < queryHeads
                    body(start..<(start + headSize), isQuery, (isQuery ? queryGain : keyGain).doubles)
                }
            }
        }
    }

    static let cases = [
        Case(1, 1, 1, 2, padding: 2), Case(5, 3, 1, 20, padding: 20), Case(70, 4, 2, 16, padding: 32),
        Case(130, 2, 2, 34, padding: 1), Case(0, 2, 1, 4, padding: 4),
    ]

    /// Tolerance: a few roundings of 2^-24 per element.
    @Test(arguments: cases)
    func forwardNormalizesEachHead(norm: Case) {
        var expected = norm.x.doubles
        var heads: [Float] = []
        norm.eachHead { range, _, gain in
            expected.replaceSubrange(
                range, with: Reference.rmsNorm(Array(expected[range]), gain: gain, epsilon: Double(Case.epsilon)))
            heads += norm.x[range]
        }
        let (y, input, _) = norm.forward(makePool(2))
        #expect(disagreement(y, expected, within: 4e-7) == nil)
        #expect(bitDifference(input, heads) == nil)
    }

    @Test(arguments: cases, [false, true])
    func backwardEqualsTheDefinition(norm: Case, adding: Bool) {
        var expected = norm.outputGradient.doubles
        var gains = norm.gainGradients.map { adding ? Double($0) : 0 }
        norm.eachHead { range, isQuery, gain in
            let (input, ofGain) = Reference.rmsNormGradients(
                outputGradient: Array(expected[range]), x: norm.x[range].map(Double.init), gain: gain,
                epsilon: Double(Case.epsilon))
            expected.replaceSubrange(range, with: input)
            for (i, value) in ofGain.enumerated() { gains[i + (isQuery ? 0 : norm.headSize)] += value }
        }
        let (inputGradient, gainGradients) = norm.backward(makePool(2), adding: adding)
        // Sums of up to 520 products for a gain.
        #expect(disagreement(inputGradient, expected, within: 1e-6) == nil)
        #expect(disagreement(gainGradients, gains, within: 2e-6) == nil)
    }

    /// Step 2^-6 leaves 4e-5 of the third derivative and 2e-6 of rounding; a wrong term leaves 1e-1.
    @Test func backwardIsTheSlopeOfForward() {
        var norm = Case(3, 2, 1, 4, padding: 4)
        let (inputGradient, gainGradients) = norm.backward(makePool(), adding: false)
        let (base, outputGradient) = (norm, norm.outputGradient.doubles)
        func objective() -> Double { dot(outputGradient, norm.forward(makePool()).y.doubles) }
        let slopeOfX = numericalGradient(at: base.x.doubles, step: 0x1p-6) {
            norm.x = $0.floats
            return objective()
        }
        #expect(disagreement(inputGradient, slopeOfX, within: 1e-3) == nil)
        norm.x = base.x
        let slopeOfGains = numericalGradient(at: (base.queryGain + base.keyGain).doubles, step: 0x1p-6) {
            (norm.queryGain, norm.keyGain) = (Array($0[..<4]).floats, Array($0[4...]).floats)
            return objective()
        }
        #expect(disagreement(gainGradients, slopeOfGains, within: 1e-3) == nil)
    }

    @Test func rowsThatAreTooShortTrap() async {
        await #expect(processExitsWith: .failure) {
            let gains = Arena(count: 8).all
            HeadNorm(queryHeads: 1, keyHeads: 1, headSize: 4).forward(
                makePool(), Arena(count: 7).all, stride: 7, gains: gains, epsilon: 1,
                input: Arena(count: 8).all, rstd: Arena(count: 2).all)
        }
    }
}
