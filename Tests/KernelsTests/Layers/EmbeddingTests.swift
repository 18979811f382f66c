// EmbeddingTests - lookup and its scatter-add.

import Kernels
import TestSupport
import Tensors
import Testing

struct EmbeddingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let (N, D, V): (Int, Int, Int)
        var table: [Float]
        let (outputGradient, tableGradient): ([Float], [Float])
        let tokens: [Int32]
        var testDescription: String { "\(N) tokens of \(V), \(D) features" }

        init(_ N: Int, _ D: Int, _ V: Int) {
            (self.N, self.D, self.V) = (N, D, V)
            var generator = SeededGenerator(seed: UInt64(N * 1000 + D))
            (table, outputGradient, tableGradient) = (
                generator.normals(V * D), generator.normals(N * D), generator.normals(V * D)
            )
            tokens = generator.integers(N, below: V)
        }

        func forward(_ pool: ThreadPool) -> [Float] {
            let x = GuardedBuffer(count: N * D)
            Embedding.forward(pool, tokens: tokens, table: .fp32(unaligned(table)), features: D, into: x.slice)
            #expect(x.isIntact)
            return x.array
        }

        func backward(_ pool: ThreadPool, adding: Bool) -> [Float] {
            let tableGradient = adding ? GuardedBuffer(self.tableGradient) : GuardedBuffer(count: V * D)
            Embedding.backward(
                pool, tokens: tokens, outputGradient: unaligned(outputGradient), features: D,
                tableGradient: tableGradient.slice, adding: adding)
            #expect(tableGradient.isIntact)
            return tableGradient.array
        }
    }

    /// Few different tokens, so that many gradients meet in one row. Rows without a token stay unchanged.
    @Test(arguments: [
        Case(1, 1, 1), Case(7, 20, 5), Case(200, 33, 3), Case(65, 48, 100), Case(70, 130, 10), Case(0, 4, 3),
    ])
    func equalsTheDefinition(embedding: Case) {
        let pool = makePool(2)
        let expected = Reference.embedding(
            tokens: embedding.tokens, table: embedding.table.doubles, features: embedding.D)
        #expect(embedding.forward(pool).doubles == expected)
        let sum = Reference.embeddingGradient(
            tokens: embedding.tokens, outputGradient: embedding.outputGradient.doubles, vocabulary: embedding.V,
            features: embedding.D)
        // Sums of up to 70 gradients, each addition rounded.
        #expect(disagreement(embedding.backward(pool, adding: false), sum, within: 1e-6) == nil)
        let total = zip(sum, embedding.tableGradient).map { $0 + Double($1) }
        #expect(disagreement(embedding.backward(pool, adding: true), total, within: 1e-6) == nil)
    }

    /// The order of the sum is part of the result's bits: element by element, tokens in order.
    @Test func gradientsAreAddedInTokenOrder() {
        let embedding = Case(100, 20, 2)
        func summed(_ order: [Int]) -> [Float] {
            var result = [Float](repeating: 0, count: 40)
            for n in order {
                for d in 0..<20 { result[Int(embedding.tokens[n]) * 20 + d] += embedding.outputGradient[n * 20 + d] }
            }
            return result
        }
        let result = embedding.backward(makePool(2), adding: false)
        #expect(bitDifference(result, summed(Array(0..<100))) == nil)
        #expect(bitDifference(result, summed(Array((0..<100).reversed()))) != nil)
    }

    @Test func tokensOutsideOfTheTableTrap() async {
        await #expect(processExitsWith: .failure) {
            Embedding.forward(
                makePool(), tokens: [2], table: .fp32(Arena(count: 4).all), features: 2, into: Arena(count: 2).all)
        }
        await #expect(processExitsWith: .failure) {
            Embedding.backward(
                makePool(), tokens: [2], outputGradient: Arena(count: 2).all, features: 2,
                tableGradient: Arena(count: 4).all, adding: true
            )
        }
        await #expect(processExitsWith: .failure) {
            Embedding.backward(
                makePool(), tokens: [-1], outputGradient: Arena(count: 2).all, features: 2,
                tableGradient: Arena(count: 4).all,
                adding: true)
        }
    }
}
