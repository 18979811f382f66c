// TileProductTests - oneDNN's primitive on tiles against the triple loop in double.

import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Set before the first product, as the program does.
private let ready: Void = ProductLibrary.useCallingThreadOnly()

@Suite(.enabled(if: TileProduct.isAvailable, "this processor has no tiles"))
struct TileProductTests {
    /// Tolerance: products of bf16 numbers are exact in fp32; k roundings of 2^-24 in whatever order.
    @Test(arguments: [(2, 64, 32), (32, 128, 96), (77, 64, 512), (16, 192, 1024)])
    func equalsTheDefinition(m: Int, n: Int, k: Int) throws {
        _ = ready
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

    /// The last one oneDNN computes as a product with a vector.
    @Test(arguments: [
        (0, 64, 32), (32, 0, 32), (32, 64, 0), (32, 65, 32), (32, 32, 32), (32, 64, 16), (32, 64, 33), (1, 64, 32),
    ])
    func otherSizesAreRefused(m: Int, n: Int, k: Int) { #expect(TileProduct(m: m, n: n, k: k) == nil) }
}
