// GradientNormTests - sums of squares by blocks, and the clip factor.

import Kernels
import Optimization
import TestSupport
import Tensors
import Testing

struct GradientNormTests {
    @Test(arguments: [0, 1, 15, 16, 17, 1000, 1024, 1025, 4096, 4111, 10_007], [1024, 4096, 3000])
    func blockSumsAreTheSumsOfSquares(count: Int, blockSize: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        let values = generator.normals(count, deviation: 3)
        let sums = GradientNorm.blockSquares(makePool(), GuardedBuffer(values).slice, blockSize: blockSize)
        let expected = stride(from: 0, to: count, by: blockSize).map { start in
            values[start..<min(start + blockSize, count)].reduce(0) { $0 + Double($1) * Double($1) }
        }
        #expect(sums.count == (count + blockSize - 1) / blockSize)
        // A lane adds 64 positive squares in single precision: at most 64 roundings of 2^-24, less as they cancel.
        for (sum, exact) in zip(sums, expected) { #expect(abs(sum - exact) <= 1e-6 * exact) }
    }

    @Test func threadsChangeNothing() {
        var generator = SeededGenerator(seed: 2)
        var values = generator.normals(50_001)
        let alone = GradientNorm.blockSquares(makePool(), FloatSlice(values), blockSize: 4096)
        for threads in [2, 3] {
            #expect(GradientNorm.blockSquares(makePool(threads), FloatSlice(values), blockSize: 4096) == alone)
        }
        values[20_000] *= 1.01
        let changed = GradientNorm.blockSquares(makePool(2), FloatSlice(values), blockSize: 4096)
        #expect(changed.indices.filter { changed[$0] != alone[$0] } == [4])
    }

    /// A block's sum has the same bits with its neighbours and alone.
    @Test func aBlockDoesNotDependOnTheOthers() {
        var generator = SeededGenerator(seed: 3)
        let gradient = FloatSlice(generator.normals(10_000))
        let all = GradientNorm.blockSquares(makePool(), gradient, blockSize: 2048)
        for block in 0..<5 {
            let part = gradient[(block * 2048)..<min((block + 1) * 2048, 10_000)]
            #expect(GradientNorm.blockSquares(makePool(), part, blockSize: 2048) == [all[block]])
        }
    }

    @Test func whatIsNotFiniteShows() {
        for value in [Float.nan, .infinity, 3e38] {
            var values = [Float](repeating: 1, count: 100)
            values[98] = value
            #expect(!GradientNorm.blockSquares(makePool(), FloatSlice(values), blockSize: 64)[1].isFinite)
        }
    }

    @Test func clipFactorIsTorchs() {
        let epsilon = 1e-6
        #expect(GradientNorm.clipFactor(norm: 4, clip: 1) == 1 / (4 + epsilon))
        #expect(GradientNorm.clipFactor(norm: 0.5, clip: 1) == 1)
        #expect(GradientNorm.clipFactor(norm: 0, clip: 1) == 1)
        // At the limit torch's 1e-6 already scales.
        #expect(GradientNorm.clipFactor(norm: 1, clip: 1) == 1 / (1 + epsilon))
        for norm in [0, 1, 1e9] { #expect(GradientNorm.clipFactor(norm: norm, clip: 0) == 1) }
    }
}
