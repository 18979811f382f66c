// TileScratchTests - matmuls on tiles against the triple loop, for any cut.

import LinearAlgebra
import Tensors
import TestSupport
import Testing

@testable import Kernels

@Suite(.enabled(if: TileGEMM.isAvailable, "this processor has no tiles"))
struct TileScratchTests {
    /// Sizes with several packed parts in each dimension, every transpose, and one scratch for all.
    ///
    /// Tolerance: products of bf16 numbers are exact in fp32; k additions round by 2^-24 in any order.
    @Test(arguments: [(600, 40, 48), (40, 600, 48), (48, 40, 1100), (530, 520, 530), (16, 16, 512)])
    func equalsTheDefinitionInEveryTranspose(m: Int, n: Int, k: Int) {
        let tiles = TileScratch(threads: 1)
        #expect(TileScratch.takes(m: m, n: n, k: k))
        var generator = SeededGenerator(seed: UInt64(m * 1000 + n + k))
        let (a, b) = (downcast(generator.normals(m * k)), downcast(generator.normals(k * n)))
        for (aOperand, bOperand) in [
            (Operand.asStored, Operand.asStored), (.asStored, .transposed), (.transposed, .asStored),
            (.transposed, .transposed),
        ] {
            let (aRows, aColumns) = aOperand == .asStored ? (m, k) : (k, m)
            let (bRows, bColumns) = bOperand == .asStored ? (k, n) : (n, k)
            let sums = Reference.matmul(
                a.array.doubles, b.array.doubles, m: m, n: n, k: k, aTransposed: aOperand == .transposed,
                bTransposed: bOperand == .transposed)
            for adding in [false, true] {
                let initial = generator.normals(m * n)
                let target = GuardedBuffer(initial)
                tiles.multiply(
                    BFloat16Matrix(a, rows: aRows, columns: aColumns), aOperand,
                    BFloat16Matrix(b, rows: bRows, columns: bColumns), bOperand,
                    into: Matrix(target.slice, rows: m, columns: n), adding: adding, worker: 0)
                let expected = zip(sums, initial).map { $0 + (adding ? Double($1) : 0) }
                #expect(
                    disagreement(target.array, expected, within: Double(k + 1) * 0x1p-24) == nil,
                    "\(aOperand) \(bOperand) \(adding)")
                #expect(target.isIntact)
            }
        }
        withExtendedLifetime((a, b)) {}
    }

    /// A pool cuts 389 rows into panels of 128, 128, 128 and 5 rows. Alone, the last panel would be too small for
    /// tiles.
    ///
    /// The bits equal those of the matmul in one piece. Control: a matmul of the operands in fp32 has other bits.
    @Test(arguments: [(2051, 520, 96), (389, 90, 512)]) func panelsDoNotChangeBits(m: Int, n: Int, k: Int) throws {
        var generator = SeededGenerator(seed: 7)
        let (a, b) = (downcast(generator.normals(m * k)), downcast(generator.normals(n * k)))
        let (left, right) = (BFloat16Matrix(a, rows: m, columns: k), BFloat16Matrix(b, rows: n, columns: k))
        let whole = FloatSlice([Float](repeating: .nan, count: m * n))
        TileScratch(threads: 1).multiply(
            left, .asStored, right, .transposed, into: Matrix(whole, rows: m, columns: n), adding: false, worker: 0)
        for threads in [1, 2, 3] {
            let target = GuardedBuffer(count: m * n)
            makePool(threads).multiply(
                left, .asStored, right, .transposed, into: Matrix(target.slice, rows: m, columns: n))
            #expect(bitDifference(target.array, whole.array) == nil, "\(threads) threads")
        }
        let other = GuardedBuffer(count: m * n)
        try makeUpcastingPool(1).multiply(
            left, .asStored, right, .transposed, into: Matrix(other.slice, rows: m, columns: n))
        #expect(bitDifference(other.array, whole.array) != nil)
        withExtendedLifetime((a, b)) {}
    }
}

/// The choice of tiles and the cut into panels, which need no tiles.
struct TileDecisionTests {
    @Test func smallGEMMsAreNotTaken() throws {
        #expect(!TileScratch.takes(m: 1, n: 32000, k: 512))
        #expect(!TileScratch.takes(m: 512, n: 8, k: 512))
        #expect(!TileScratch.takes(m: 32, n: 32, k: 32))
        #expect(!TileScratch.takes(m: 512, n: 512, k: 0))
        #expect(try makeUpcastingPool(1).tiles == nil)
    }

    /// Every thread gets panels. There are not many more panels than even out the threads. Why: each packs its operands
    /// again.
    @Test(arguments: [(2048, 3072, 512), (512, 512, 32000), (32000, 512, 512), (64, 64, 64), (2051, 33, 96)])
    func plansServeEveryThread(m: Int, n: Int, k: Int) {
        for threads in [1, 2, 16] {
            let plan = PanelPlan(tilesFor: (m, n, k), threads: threads)
            #expect(plan.panelRows % 32 == 0 && plan.panelColumns % 32 == 0)
            let panels = ((m + plan.panelRows - 1) / plan.panelRows) * ((n + plan.panelColumns - 1) / plan.panelColumns)
            let affordable = 2 * Double(m) * Double(n) * Double(k) / 16e6
            #expect(Double(panels) >= min(Double(2 * threads), affordable), "\(threads) threads")
            let packed = ((m + 511) / 512) * ((n + 511) / 512)
            #expect(panels <= max(8 * threads, packed), "\(threads) threads")
        }
    }
}
