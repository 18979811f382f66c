// BiasTests - the addend of a linear layer and its gradient against their definitions.

import Kernels
import TestSupport
import Tensors
import Testing

struct BiasTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let (N, D): (Int, Int)
        var y: [Float]
        let (bias, gradient): ([Float], [Float])
        var testDescription: String { "\(N) x \(D)" }

        init(_ N: Int, _ D: Int) {
            (self.N, self.D) = (N, D)
            var generator = SeededGenerator(seed: UInt64(N * 1000 + D))
            (y, bias, gradient) = (generator.normals(N * D), generator.normals(D), generator.normals(D))
        }

        func add(_ pool: ThreadPool) -> [Float] {
            let buffer = GuardedBuffer(y)
            Bias.add(pool, unaligned(bias), to: buffer.slice)
            #expect(buffer.isIntact)
            return buffer.array
        }

        /// The gradient for the output gradient `y`.
        func backward(_ pool: ThreadPool, adding: Bool, isBFloat16: Bool = false) -> [Float] {
            let result = adding ? GuardedBuffer(gradient) : GuardedBuffer(count: D)
            let scratch = GuardedBuffer(count: Bias.scratchCount(tokens: N, features: D))
            Bias.gradient(
                pool, outputGradient: isBFloat16 ? .bf16(downcast(y)) : .fp32(unaligned(y)), into: result.slice,
                adding: adding, scratch: scratch.slice)
            #expect(result.isIntact && scratch.isIntact)
            return result.array
        }
    }

    static let cases = [Case(1, 1), Case(3, 16), Case(64, 33), Case(65, 48), Case(200, 300), Case(129, 5), Case(0, 8)]

    @Test(arguments: cases)
    func everyRowGetsTheBias(bias: Case) {
        let expected = bias.y.indices.map { bias.y[$0] + bias.bias[$0 % bias.D] }
        #expect(bitDifference(bias.add(makePool(2)), expected) == nil)
    }

    /// Sums of up to 200 numbers, each rounded to 2^-24 of the sum so far.
    @Test(arguments: cases, [false, true])
    func theGradientIsTheSumOfTheRows(bias: Case, adding: Bool) {
        func sums(_ rows: [Float]) -> [Double] {
            (0..<bias.D).map { column in
                let start = adding ? Double(bias.gradient[column]) : 0
                return (0..<bias.N).reduce(start) { $0 + Double(rows[$1 * bias.D + column]) }
            }
        }
        #expect(disagreement(bias.backward(makePool(2), adding: adding), sums(bias.y), within: 1e-6) == nil)
        let rounded = downcast(bias.y).array
        let found = bias.backward(makePool(2), adding: adding, isBFloat16: true)
        #expect(disagreement(found, sums(rounded), within: 1e-6) == nil)
    }

    @Test func sizesThatDoNotFitTrap() async {
        await #expect(processExitsWith: .failure) {
            Bias.add(makePool(), Arena(count: 3).all, to: Arena(count: 4).all)
        }
    }
}
