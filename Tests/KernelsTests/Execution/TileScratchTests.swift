// TileScratchTests - products on tiles are the products that they stand for, and only those that gain go there.

import LinearAlgebra
import Tensors
import TestSupport
import Testing

@testable import Kernels

@Suite(.enabled(if: TileProduct.isAvailable, "this processor has no tiles"))
struct TileScratchTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let (m, n, k): (Int, Int, Int)
        var testDescription: String { "\(m) x \(n) x \(k)" }
        init(_ m: Int, _ n: Int, _ k: Int) { (self.m, self.n, self.k) = (m, n, k) }
    }

    /// Computes one product by `tiles`; returns whether they took it, the result with the padding of its rows cut off, and what
    /// it is by definition.
    private func product(
        _ tiles: TileScratch, _ size: Case, _ aOperand: Operand, _ bOperand: Operand, adding: Bool, padding: Int
    ) -> (taken: Bool, result: [Float], initial: [Float], expected: [Double]) {
        let (m, n, k) = (size.m, size.n, size.k)
        var generator = SeededGenerator(seed: UInt64(m * 1000 + n + k))
        let (a, b) = (narrowed(generator.normals(m * k)), narrowed(generator.normals(k * n)))
        let stride = n + padding
        let initial = generator.normals(m * stride)
        let (aRows, aColumns) = aOperand == .asStored ? (m, k) : (k, m)
        let (bRows, bColumns) = bOperand == .asStored ? (k, n) : (n, k)
        let target = GuardedBuffer(initial)
        let taken = tiles.multiply(
            BFloat16Matrix(a, rows: aRows, columns: aColumns), aOperand,
            BFloat16Matrix(b, rows: bRows, columns: bColumns), bOperand,
            into: Matrix(target.slice.view, rows: m, columns: n, stride: stride), adding: adding, worker: 0)
        #expect(target.isIntact)
        let all = target.array
        for index in all.indices where index % stride >= n {
            if all[index] != initial[index] {
                Issue.record("padding was written")
                break
            }
        }
        func dense(_ values: [Float]) -> [Float] { (0..<(m * n)).map { values[$0 / n * stride + $0 % n] } }
        let sums = Reference.product(
            a.array.doubles, b.array.doubles, m: m, n: n, k: k, aTransposed: aOperand == .transposed,
            bTransposed: bOperand == .transposed)
        let expected = zip(sums, dense(initial)).map { $0 + (adding ? Double($1) : 0) }
        return (taken, dense(all), dense(initial), expected)
    }

    /// Sizes at the edges of what is taken: one packed block of columns, rows off the tiles' height, reductions that oneDNN cuts,
    /// and one scratch for all, which grows and is used again for less.
    ///
    /// Tolerance: products of bf16 numbers are exact in fp32; k roundings of 2^-24 in whatever order.
    @Test func equalsTheDefinitionInEveryTranspose() {
        let tiles = TileScratch(threads: 1)
        let sizes = [
            Case(768, 384, 32), Case(512, 512, 1024), Case(512, 64, 512), Case(272, 192, 160), Case(173, 192, 992),
        ]
        for size in sizes {
            for aOperand in [Operand.asStored, .transposed] where aOperand == .asStored || size.k <= 512 {
                for bOperand in [Operand.asStored, .transposed] {
                    for (adding, padding) in [(false, 0), (false, 5), (true, 0), (true, 5)] {
                        let (taken, result, _, expected) = product(
                            tiles, size, aOperand, bOperand, adding: adding, padding: padding)
                        let operands = "\(size.testDescription) \(aOperand) \(bOperand)"
                        let note = Comment(rawValue: "\(operands) adding \(adding) padding \(padding)")
                        #expect(taken, note)
                        #expect(disagreement(result, expected, within: Double(size.k + 1) * 0x1p-24) == nil, note)
                    }
                }
            }
        }
    }

    /// Too little work, sizes that no packed block divides, reductions that gemm does as fast: the target stays as it was.
    @Test(arguments: [
        (Case(64, 64, 1024), Operand.asStored), (Case(784, 512, 64), .asStored), (Case(64, 832, 1024), .asStored),
        (Case(256, 500, 512), .asStored), (Case(256, 512, 500), .asStored),
        (Case(256, 512, 1056), .asStored), (Case(256, 512, 544), .transposed), (Case(250, 512, 512), .transposed),
    ])
    func leavesOtherProductsAlone(size: Case, aOperand: Operand) {
        let (taken, result, initial, _) = product(
            TileScratch(threads: 1), size, aOperand, .asStored, adding: false, padding: 0)
        #expect(!taken)
        #expect(bitDifference(result, initial) == nil)
    }

    /// A window of a larger `a` is not what tiles take as stored.
    @Test func leavesWindowsAlone() {
        let (m, n, k) = (256, 512, 512)
        let a = BFloat16Slice(count: m * (k + 32))
        let b = BFloat16Slice(count: k * n)
        let target = FloatSlice([Float](repeating: 1, count: m * n))
        let window = BFloat16Matrix(a, rows: m, columns: k + 32).block(columns: 0..<k)
        let taken = TileScratch(threads: 1).multiply(
            window, .asStored, BFloat16Matrix(b, rows: k, columns: n), .asStored,
            into: Matrix(target, rows: m, columns: n), adding: false, worker: 0)
        #expect(!taken)
        #expect(target.array.allSatisfy { $0 == 1 })
    }

    /// The pool's products use them, with the bits of one thread on three; a pool that widens has none.
    @Test func poolsMultiplyOnThem() throws {
        let (m, n, k) = (768, 1024, 256)
        var generator = SeededGenerator(seed: 7)
        let (a, b) = (narrowed(generator.normals(m * k)), narrowed(generator.normals(n * k)))
        let expected = Reference.product(
            a.array.doubles, b.array.doubles, m: m, n: n, k: k, aTransposed: false, bTransposed: true)
        var results: [[Float]] = []
        for threads in [1, 3] {
            let pool = makePool(threads)
            let target = GuardedBuffer(count: m * n)
            pool.multiply(
                BFloat16Matrix(a, rows: m, columns: k), .asStored, BFloat16Matrix(b, rows: n, columns: k), .transposed,
                into: Matrix(target.slice, rows: m, columns: n))
            #expect(try #require(pool.tiles).rooms.contains { room in room.products.values.contains { $0 != nil } })
            #expect(disagreement(target.array, expected, within: Double(k) * 0x1p-24) == nil)
            results.append(target.array)
        }
        #expect(bitDifference(results[0], results[1]) == nil)
        #expect(try makeWideningPool(1).tiles == nil)
    }
}
