// ThreadIndependenceTests - every kernel gives the same bits on any number of threads.

import Kernels
import LinearAlgebra
import TestSupport
import Tensors
import Testing

struct ThreadIndependenceTests {
    enum Kernel: String, CaseIterable, Sendable {
        case gemm, rmsNorm, headNorm, bias, rotary, attention, documentAttention, cachedAttention, swiGLU, embedding
        case head, headWithFloor, buffers

        /// All results of both passes. `nudged` changes one input a little.
        func run(_ pool: ThreadPool, nudged: Bool) -> [Float] {
            func nudge(_ values: inout [Float]) { if nudged { values[values.count / 2] *= 1.001 } }
            switch self {
            case .gemm:
                var gemm = PanelGEMMTests.Case(401, 300, 251)
                nudge(&gemm.a)
                return gemm.run(pool, .asStored, .asStored, adding: false)
                    + gemm.run(pool, .transposed, .asStored, adding: true)
                    + gemm.run(pool, .asStored, .transposed, adding: true)
            case .rmsNorm:
                var norm = RMSNormTests.Case(300, 530)
                nudge(&norm.x)
                let (forward, backward) = (norm.forward(pool), norm.backward(pool, adding: true))
                return forward.y + forward.rstd + backward.inputGradient + backward.gainGradient
            case .headNorm:
                var norm = HeadNormTests.Case(300, 3, 2, 20, padding: 40)
                nudge(&norm.x)
                let (forward, backward) = (norm.forward(pool), norm.backward(pool, adding: true))
                return forward.y + forward.rstd + backward.inputGradient + backward.gainGradients
            case .bias:
                var bias = BiasTests.Case(300, 530)
                nudge(&bias.y)
                return bias.add(pool) + bias.backward(pool, adding: true)
            case .rotary:
                var rotary = RotaryTests.Case(300, positions: 65, heads: 3, headSize: 20, padding: 7)
                nudge(&rotary.x)
                return rotary.run(pool) + rotary.run(pool, inverse: true)
            case .attention, .documentAttention:
                let documents = self == .attention ? [] : [7, 90, 240, 250, 260, 500]
                var attention = AttentionTests.Case(1, 530, 4, 2, 20, documents: documents)
                nudge(&attention.qkv)
                return attention.forward(pool).output + attention.forward(pool).lse + attention.backward(pool)
            case .cachedAttention:
                var attention = AttentionTests.Case(1, 40, 4, 2, 20)
                nudge(&attention.qkv)
                let cache = (0..<2).map { _ in Arena(count: 40 * 40).all }
                let output = Arena(count: 40 * 80).all
                attention.attention.forwardCached(
                    pool, qkv: unaligned(attention.qkv), start: 0, keys: cache[0], values: cache[1], into: output,
                    scratch: Arena(count: 160).all)
                return output.array
            case .swiGLU:
                var activation = SwiGLUTests.Case(300, 33)
                nudge(&activation.gateUp)
                return activation.forward(pool) + activation.backward(pool)
            case .embedding:
                var embedding = EmbeddingTests.Case(300, 200, 20)
                nudge(&embedding.table)
                return embedding.forward(pool) + embedding.backward(pool, adding: true)
            case .head, .headWithFloor:
                let floor = self == .head ? 0 : 1e-8
                var head = HeadCase(1200, 20, 400, LossConfiguration(gamma: 1.5, probabilityFloor: floor), ignoring: 5)
                nudge(&head.hidden)
                return head.run(pool, adding: true).everything
            case .buffers:
                var generator = SeededGenerator(seed: 31)
                var values = generator.normals(100_001)
                nudge(&values)
                let target = unaligned(generator.normals(100_001))
                pool.add(unaligned(values), scaledBy: 0.3, to: target)
                pool.scale(target, by: 1.7)
                return target.array
            }
        }
    }

    @Test(arguments: Kernel.allCases)
    func bitsDoNotDependOnThreads(kernel: Kernel) {
        let alone = kernel.run(makePool(1), nudged: false)
        for threads in [2, 3, 5] {
            let result = kernel.run(makePool(threads), nudged: false)
            #expect(bitDifference(result, alone) == nil, "\(threads) threads")
        }
        // Negative control: the comparison notices the smallest change of an input.
        #expect(bitDifference(kernel.run(makePool(2), nudged: true), alone) != nil)
    }

    /// Matmuls of copied and of upcast operands, for which each thread has its own blocks.
    @Test func bitsOfCopiesDoNotDependOnThreads() throws {
        let gemm = PanelGEMMTests.Case(1024, 700, 600)
        let (a, b) = (downcast(gemm.a), downcast(gemm.b))
        func copied(_ threads: Int) throws -> [Float] {
            gemm.run(try makeCopyingPool(threads), .transposed, .asStored, adding: false)
        }
        func upcast(_ threads: Int) throws -> [Float] {
            let target = Arena(count: gemm.m * gemm.n).all
            try makeUpcastingPool(threads).multiply(
                BFloat16Matrix(a, rows: gemm.m, columns: gemm.k), .asStored,
                BFloat16Matrix(b, rows: gemm.k, columns: gemm.n), .asStored,
                into: Matrix(target, rows: gemm.m, columns: gemm.n))
            return target.array
        }
        for run in [copied, upcast] {
            let alone = try run(1)
            #expect(alone.contains { $0 != 0 })
            for threads in [2, 3, 5] { #expect(bitDifference(try run(threads), alone) == nil, "\(threads) threads") }
        }
    }
}
