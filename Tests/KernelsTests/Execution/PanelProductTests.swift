// PanelProductTests - how products are cut, and that cutting does not change what they are.

import LinearAlgebra
import TestSupport
import Tensors
import Testing

@testable import Kernels

struct PanelProductTests {
    /// A product `[m, k] [k, n]` with everything it needs.
    struct Case: Sendable, CustomTestStringConvertible {
        let (m, n, k): (Int, Int, Int)
        var (a, b): ([Float], [Float])
        let initial: [Float]
        var testDescription: String { "\(m) x \(n) x \(k)" }

        init(_ m: Int, _ n: Int, _ k: Int) {
            (self.m, self.n, self.k) = (m, n, k)
            var generator = SeededGenerator(seed: UInt64(m * 1000 + n))
            (a, b) = (generator.normals(m * k), generator.normals(k * n))
            initial = generator.normals(m * n)
        }

        func run(_ pool: ThreadPool, _ aOperand: Operand, _ bOperand: Operand, adding: Bool) -> [Float] {
            let (left, right) = (unaligned(a), unaligned(b))
            let target = adding ? GuardedBuffer(initial) : GuardedBuffer(count: m * n)
            let (aRows, aColumns) = aOperand == .asStored ? (m, k) : (k, m)
            let (bRows, bColumns) = bOperand == .asStored ? (k, n) : (n, k)
            pool.multiply(
                Matrix(left, rows: aRows, columns: aColumns), aOperand, Matrix(right, rows: bRows, columns: bColumns),
                bOperand, into: Matrix(target.slice, rows: m, columns: n), adding: adding)
            #expect(target.isIntact)
            return target.array
        }
    }

    /// Shapes of the program's products, large ones included: only the plan is made.
    @Test(arguments: [
        (1, 1, 1), (0, 5, 3), (5, 0, 3), (7, 5, 0), (64, 64, 64), (768, 512, 128), (4096, 1024, 1024),
        (4096, 8192, 1024),
        (1024, 32000, 1024), (32000, 1024, 1024), (1, 32000, 4096), (100_000, 1, 100), (4095, 4097, 4099),
    ])
    func plansCoverTheResultInFewPanels(m: Int, n: Int, k: Int) {
        let plan = PanelPlan(m: m, n: n, k: k)
        #expect(plan == PanelPlan(m: m, n: n, k: k))
        #expect(plan.panelRows >= 1 && plan.panelColumns >= 1)
        // A cut side has edges that suit the BLAS kernels; a side that is not cut is whole.
        #expect(plan.panelRows % 16 == 0 || plan.panelRows == max(m, 1))
        #expect(plan.panelColumns % 16 == 0 || plan.panelColumns == max(n, 1))
        // No panel is so large that its operands do not stay in cache, none so small that packing counts.
        #expect(plan.panelRows <= 768 && plan.panelColumns <= 768)
        let panels = ((m + plan.panelRows - 1) / plan.panelRows) * ((n + plan.panelColumns - 1) / plan.panelColumns)
        let flops = 2.0 * Double(m * n * k)
        if flops < 16e6 && m < 384 && n < 768 { #expect(panels <= 1) }
        // A few threads have something to share.
        if flops >= 64e6 && m * n >= 65_536 { #expect(panels >= 4) }
        // Large products must keep a large node busy.
        if flops >= 2e9 && m * n >= 4_000_000 { #expect(panels >= 16) }
    }

    /// Two to eight panels, cut by rows, by columns and both; sizes off every vector and panel width.
    ///
    /// Tolerance: k roundings of 2^-24 in whatever order.
    @Test(arguments: [
        Case(3, 5, 7), Case(200, 301, 250), Case(401, 300, 251), Case(3, 5001, 600), Case(5001, 3, 600),
        Case(700, 530, 1100),
        Case(50, 60, 0),
    ])
    func equalsTheDefinitionInEveryTranspose(product: Case) {
        let pool = makePool(3)
        for aOperand in [Operand.asStored, .transposed] {
            for bOperand in [Operand.asStored, .transposed] {
                let reference = Reference.product(
                    product.a.doubles, product.b.doubles, m: product.m, n: product.n, k: product.k,
                    aTransposed: aOperand == .transposed, bTransposed: bOperand == .transposed)
                for adding in [false, true] {
                    let expected = zip(reference, product.initial).map { $0 + (adding ? Double($1) : 0) }
                    let result = product.run(pool, aOperand, bOperand, adding: adding)
                    let tolerance = Double(product.k + 1) * 0x1p-24
                    #expect(
                        disagreement(result, expected, within: tolerance) == nil, "\(aOperand) \(bOperand) \(adding)")
                }
            }
        }
    }

    /// Operands of bf16, by the processor's own products where it has them and widened to fp32: blocks of 512 in every
    /// dimension, cut and whole.
    ///
    /// Tolerance: products of bf16 numbers are exact in fp32; k roundings of 2^-24 in whatever order.
    @Test(arguments: [Case(3, 5, 7), Case(600, 40, 30), Case(40, 600, 30), Case(30, 20, 1100), Case(50, 60, 0)])
    func narrowProductsEqualTheDefinition(product: Case) throws {
        let (a, b) = (narrowed(product.a), narrowed(product.b))
        var pools = [try makeWideningPool(2)]
        if ProductLibrary.hasBFloat16Products { pools.append(makePool(2)) }
        for pool in pools {
            for aOperand in [Operand.asStored, .transposed] {
                for bOperand in [Operand.asStored, .transposed] {
                    let (m, n, k) = (product.m, product.n, product.k)
                    let (aRows, aColumns) = aOperand == .asStored ? (m, k) : (k, m)
                    let (bRows, bColumns) = bOperand == .asStored ? (k, n) : (n, k)
                    let reference = Reference.product(
                        a.array.doubles, b.array.doubles, m: m, n: n, k: k, aTransposed: aOperand == .transposed,
                        bTransposed: bOperand == .transposed)
                    for adding in [false, true] {
                        let target = GuardedBuffer(product.initial)
                        pool.multiply(
                            BFloat16Matrix(a, rows: aRows, columns: aColumns), aOperand,
                            BFloat16Matrix(b, rows: bRows, columns: bColumns), bOperand,
                            into: Matrix(target.slice, rows: m, columns: n), adding: adding)
                        let expected = zip(reference, product.initial).map { $0 + (adding ? Double($1) : 0) }
                        #expect(
                            disagreement(target.array, expected, within: Double(k + 1) * 0x1p-24) == nil,
                            "\(aOperand) \(bOperand) \(adding)")
                        #expect(target.isIntact)
                    }
                }
            }
        }
    }

}
