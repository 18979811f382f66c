// TileProductTests - oneDNN's primitive on tiles against the triple loop in double.

import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite(.enabled(if: TileProduct.isAvailable, "this processor has no tiles"))
struct TileProductTests {
    /// Tolerance: products of bf16 numbers are exact in fp32; k roundings of 2^-24 in whatever order.
    @Test(arguments: [(32, 64, 32), (32, 128, 96), (77, 64, 512), (16, 192, 1024)])
    func equalsTheDefinition(m: Int, n: Int, k: Int) throws {
        let product = try #require(TileProduct(m: m, n: n, k: k))
        var generator = SeededGenerator(seed: UInt64(m + n + k))
        let (a, b, packed) = (BFloat16Slice(count: m * k), BFloat16Slice(count: k * n), BFloat16Slice(count: k * n))
        // Twice with other numbers: the prepared product keeps nothing of the first call.
        for _ in 0..<2 {
            for (slice, values) in [(a, generator.normals(m * k)), (b, generator.normals(k * n))] {
                for (index, value) in values.enumerated() { slice.view[index] = value }
            }
            for row in 0..<k {
                for column in 0..<n {
                    packed.view[column / 64 * 64 * k + row / 2 * 128 + column % 64 * 2 + row % 2] =
                        b.view[row * n + column]
                }
            }
            let target = GuardedBuffer([Float](repeating: .nan, count: m * n))
            product.multiply(
                BFloat16Matrix(a, rows: m, columns: k), packed: packed.view,
                into: Matrix(target.slice, rows: m, columns: n))
            let expected = Reference.product(
                a.array.doubles, b.array.doubles, m: m, n: n, k: k, aTransposed: false, bTransposed: false)
            #expect(disagreement(target.array, expected, within: Double(k) * 0x1p-24) == nil)
            #expect(target.isIntact)
        }
    }

    /// Prepared by a thread that may use several for other products, it computes in the same order.
    @Test func theCallersThreadsDoNotCount() throws {
        let (m, n, k) = (512, 512, 1024)
        var generator = SeededGenerator(seed: 5)
        let (a, packed) = (BFloat16Slice(count: m * k), BFloat16Slice(count: k * n))
        for slice in [a, packed] {
            for (index, value) in generator.normals(slice.count).enumerated() { slice.view[index] = value }
        }
        var results: [[Float]] = []
        for threads in [1, 4] {
            ProductLibrary.withOwnThreads(threads) {
                guard let product = TileProduct(m: m, n: n, k: k) else { return }
                let target = FloatSlice([Float](repeating: .nan, count: m * n))
                product.multiply(
                    BFloat16Matrix(a, rows: m, columns: k), packed: packed.view,
                    into: Matrix(target, rows: m, columns: n))
                results.append(target.array)
            }
        }
        try #require(results.count == 2)
        #expect(bitDifference(results[0], results[1]) == nil)
    }

    /// Also a small result, which oneDNN does not compute on tiles.
    @Test(arguments: [
        (0, 64, 32), (32, 0, 32), (32, 64, 0), (32, 65, 32), (32, 32, 32), (32, 64, 16), (32, 64, 33), (1, 64, 32),
    ])
    func otherSizesAreRefused(m: Int, n: Int, k: Int) { #expect(TileProduct(m: m, n: n, k: k) == nil) }
}
