// PanelGEMMTests - the cut of matmuls into panels, and their results.

import LinearAlgebra
import TestSupport
import Tensors
import Testing

@testable import Kernels

struct PanelGEMMTests {
    /// A matmul `[m, k] [k, n]` with everything it needs.
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
            withExtendedLifetime((left, right)) {}
            return target.array
        }
    }

    /// Shapes of the program's matmuls, large ones included. The tests make plans only.
    @Test(arguments: [
        (1, 1, 1), (0, 5, 3), (5, 0, 3), (7, 5, 0), (64, 64, 64), (768, 512, 128), (4096, 1024, 1024),
        (4096, 8192, 1024),
        (1024, 32000, 1024), (32000, 1024, 1024), (1, 32000, 4096), (100_000, 1, 100), (4095, 4097, 4099),
    ])
    func plansCoverTheResultInFewPanels(m: Int, n: Int, k: Int) {
        for upcasts in [false, true] { checkPlan(m: m, n: n, k: k, upcasts: upcasts) }
    }

    private func checkPlan(m: Int, n: Int, k: Int, upcasts: Bool) {
        let plan = PanelPlan(m: m, n: n, k: k, upcasts: upcasts)
        #expect(plan == PanelPlan(m: m, n: n, k: k, upcasts: upcasts))
        #expect(plan.panelRows >= 1 && plan.panelColumns >= 1)
        // The panels of a cut side have a length that suits the BLAS kernels. An uncut side is one panel.
        #expect(plan.panelRows % 16 == 0 || plan.panelRows == max(m, 1))
        #expect(plan.panelColumns % 16 == 0 || plan.panelColumns == max(n, 1))
        // Operands of every panel fit the cache, and no panel is so small that packing counts.
        #expect(plan.panelRows <= 768 && plan.panelColumns <= 768)
        let panels = ((m + plan.panelRows - 1) / plan.panelRows) * ((n + plan.panelColumns - 1) / plan.panelColumns)
        let flops = 2.0 * Double(m * n * k)
        if flops < 16e6 && m < 384 && n < 768 { #expect(panels <= 1) }
        // A few threads all get panels.
        if flops >= 64e6 && m * n >= 65_536 { #expect(panels >= 4) }
        // Large matmuls must keep a large node busy.
        if flops >= 2e9 && m * n >= 4_000_000 { #expect(panels >= 16) }
    }

    /// Panels of upcast operands have as many rows with a short reduction as other panels with a long one.
    @Test func upcastPanelsAreLarge() {
        #expect(PanelPlan(m: 2048, n: 1536, k: 512) == PanelPlan(m: 2048, n: 1536, k: 1023))
        #expect(PanelPlan(m: 2048, n: 1536, k: 512).panelRows == 256)
        #expect(PanelPlan(m: 2048, n: 1536, k: 512, upcasts: true).panelRows == 512)
        #expect(PanelPlan(m: 2048, n: 1536, k: 512, upcasts: true) == PanelPlan(m: 2048, n: 1536, k: 1024))
        // Four large panels would be too few.
        #expect(PanelPlan(m: 2048, n: 512, k: 512, upcasts: true) == PanelPlan(m: 2048, n: 512, k: 512))
        #expect(PanelPlan(m: 2048, n: 1536, k: 2048, upcasts: true) == PanelPlan(m: 2048, n: 1536, k: 2048))
    }

    /// Two to eight panels, cut by rows, by columns and both; sizes off every vector and panel width.
    ///
    /// Tolerance: k additions round by 2^-24 in any order.
    @Test(arguments: [
        Case(3, 5, 7), Case(200, 301, 250), Case(401, 300, 251), Case(3, 5001, 600), Case(5001, 3, 600),
        Case(700, 530, 1100), Case(2304, 8, 1100), Case(1024, 600, 40), Case(1024, 5, 0),
        Case(50, 60, 0),
    ])
    func equalsTheDefinitionInEveryTranspose(gemm: Case) throws {
        try checkEveryTranspose(gemm, [makePool(3), makeCopyingPool(3)])
    }

    private func checkEveryTranspose(_ gemm: Case, _ pools: [ThreadPool]) {
        for aOperand in [Operand.asStored, .transposed] {
            for bOperand in [Operand.asStored, .transposed] {
                let reference = Reference.matmul(
                    gemm.a.doubles, gemm.b.doubles, m: gemm.m, n: gemm.n, k: gemm.k,
                    aTransposed: aOperand == .transposed, bTransposed: bOperand == .transposed)
                for adding in [false, true] {
                    let expected = zip(reference, gemm.initial).map { $0 + (adding ? Double($1) : 0) }
                    let tolerance = Double(gemm.k + 1) * 0x1p-24
                    for pool in pools {
                        let result = gemm.run(pool, aOperand, bOperand, adding: adding)
                        let difference = disagreement(result, expected, within: tolerance)
                        #expect(difference == nil, "\(aOperand) \(bOperand) \(adding)")
                    }
                }
            }
        }
    }

    /// Rows lie 4 KiB apart, in four panels of 256 rows. Each block of the reduction is one matmul that adds to the
    /// result.
    @Test func copiesAreOfBlocks() throws {
        let gemm = Case(1024, 30, 700)
        let (copying, direct) = (try makeCopyingPool(), makePool(2))
        let copied = gemm.run(copying, .transposed, .asStored, adding: true)
        let target = GuardedBuffer(gemm.initial)
        let blocks = OperandScratch.blocks(gemm.k)
        #expect(blocks == [0..<352, 352..<700])
        for rows in blocks {
            // Rows of the operands as stored are steps of the reduction.
            let a = unaligned(Array(gemm.a[(rows.lowerBound * gemm.m)..<(rows.upperBound * gemm.m)]))
            let b = unaligned(Array(gemm.b[(rows.lowerBound * gemm.n)..<(rows.upperBound * gemm.n)]))
            direct.multiply(
                Matrix(a, rows: rows.count, columns: gemm.m), .transposed,
                Matrix(b, rows: rows.count, columns: gemm.n), .asStored,
                into: Matrix(target.slice, rows: gemm.m, columns: gemm.n), adding: true)
            withExtendedLifetime((a, b)) {}
        }
        #expect(copied == target.array)
        // Bits alone would not show the copy, because a backend may cut its own blocks there. The workspace still holds
        // the last panel's last block.
        let room = try #require(copying.copying).memory.array
        for row in [blocks[1].lowerBound, gemm.k - 1] {
            let start = (row - blocks[1].lowerBound) * OperandScratch.rowStride(256)
            #expect(
                Array(room[start..<(start + 256)])
                    == Array(gemm.a[(row * gemm.m + 768)..<((row + 1) * gemm.m)]))
        }
    }

    @Test func otherOperandsAreNotCopied() throws {
        for (gemm, aOperand, bOperand) in [
            (Case(40, 30, 1024), Operand.asStored, Operand.asStored), (Case(40, 30, 1024), .asStored, .transposed),
            (Case(1024, 30, 700), .transposed, .transposed), (Case(1008, 30, 700), .transposed, .asStored),
            (Case(512, 30, 700), .transposed, .asStored),
        ] {
            let copying = try makeCopyingPool()
            #expect(
                gemm.run(copying, aOperand, bOperand, adding: true)
                    == gemm.run(makePool(), aOperand, bOperand, adding: true))
            #expect(try #require(copying.copying).memory.array.allSatisfy { $0 == 0 })
        }
    }

    /// `[8, 4] [inner, 8]` into `[rows, 8]`, of bf16 operands that are upcast, or of fp32 ones.
    private static func multiply(upcasts: Bool, inner: Int = 4, rows: Int = 8) throws {
        let (a, b) = ([Float](repeating: 1, count: 32), [Float](repeating: 1, count: 8 * inner))
        let target = Arena(count: 8 * rows).all
        let result = Matrix(target, rows: rows, columns: 8)
        if upcasts {
            let (left, right) = (downcast(a), downcast(b))
            try makeUpcastingPool().multiply(
                BFloat16Matrix(left, rows: 8, columns: 4), .asStored, BFloat16Matrix(right, rows: inner, columns: 8),
                .asStored, into: result)
            withExtendedLifetime((left, right)) {}
        } else {
            let (left, right) = (FloatSlice(a), FloatSlice(b))
            makePool().multiply(
                Matrix(left, rows: 8, columns: 4), .asStored, Matrix(right, rows: inner, columns: 8), .asStored,
                into: result)
            withExtendedLifetime((left, right)) {}
        }
        withExtendedLifetime(target) {}
    }

    /// The whole matmul checks its sizes. Why: panels and upcast blocks follow one operand, so their sizes always
    /// match.
    @Test func sizesThatDoNotMatchTrap() async {
        await #expect(processExitsWith: .success) { try Self.multiply(upcasts: false) }
        await #expect(processExitsWith: .success) { try Self.multiply(upcasts: true) }
        await #expect(processExitsWith: .failure) { try Self.multiply(upcasts: false, rows: 7) }
        await #expect(processExitsWith: .failure) { try Self.multiply(upcasts: true, rows: 7) }
        await #expect(processExitsWith: .failure) { try Self.multiply(upcasts: true, inner: 6) }
    }

    @Test func blocksAreEqual() {
        #expect(OperandScratch.blocks(0) == [0..<0])
        #expect(OperandScratch.blocks(1) == [0..<1])
        #expect(OperandScratch.blocks(512) == [0..<512])
        #expect(OperandScratch.blocks(513) == [0..<272, 272..<513])
        #expect(OperandScratch.blocks(1024) == [0..<512, 512..<1024])
        #expect(OperandScratch.blocks(1100) == [0..<368, 368..<736, 736..<1100])
    }

    /// bf16 operands, multiplied directly where the processor can, and upcast: whole and partial blocks in every
    /// dimension.
    ///
    /// Tolerance: products of bf16 numbers are exact in fp32; k additions round by 2^-24 in any order.
    @Test(arguments: [
        Case(3, 5, 7), Case(600, 40, 30), Case(40, 600, 30), Case(30, 20, 1100), Case(700, 8, 1100), Case(50, 60, 0),
    ])
    func bfloat16GEMMsEqualTheDefinition(gemm: Case) throws {
        let (a, b) = (downcast(gemm.a), downcast(gemm.b))
        var pools = [try makeUpcastingPool(2)]
        if BLASBackends.hasBFloat16GEMM { pools.append(makePool(2)) }
        for pool in pools {
            for aOperand in [Operand.asStored, .transposed] {
                for bOperand in [Operand.asStored, .transposed] {
                    let (m, n, k) = (gemm.m, gemm.n, gemm.k)
                    let (aRows, aColumns) = aOperand == .asStored ? (m, k) : (k, m)
                    let (bRows, bColumns) = bOperand == .asStored ? (k, n) : (n, k)
                    let reference = Reference.matmul(
                        a.array.doubles, b.array.doubles, m: m, n: n, k: k, aTransposed: aOperand == .transposed,
                        bTransposed: bOperand == .transposed)
                    for adding in [false, true] {
                        let target = GuardedBuffer(gemm.initial)
                        pool.multiply(
                            BFloat16Matrix(a, rows: aRows, columns: aColumns), aOperand,
                            BFloat16Matrix(b, rows: bRows, columns: bColumns), bOperand,
                            into: Matrix(target.slice, rows: m, columns: n), adding: adding)
                        let expected = zip(reference, gemm.initial).map { $0 + (adding ? Double($1) : 0) }
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
