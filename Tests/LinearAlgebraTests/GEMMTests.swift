// GEMMTests - GEMMs of every backend, fp32 and bf16, against the triple loop in double.

import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Makes backends compute on the calling thread, as the program does before its first matmul.
private let ready: Void = BLASBackends.useCallingThreadOnly()

struct GEMMTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let (m, n, k): (Int, Int, Int)
        var testDescription: String { "\(m) x \(n) x \(k)" }
        init(_ m: Int, _ n: Int, _ k: Int) { (self.m, self.n, self.k) = (m, n, k) }
    }

    /// Every transpose, with and without adding, over padded rows.
    ///
    /// Tolerance: k products round by 2^-24 each, so the error stays below k 2^-24 in any order. A misplaced element
    /// makes an error of 1e-2.
    @Test(arguments: [
        Case(1, 1, 1), Case(3, 5, 7), Case(16, 16, 16), Case(20, 33, 48), Case(65, 130, 31), Case(1, 200, 64),
        Case(200, 1, 64), Case(100, 90, 300),
    ])
    func equalsTheDefinition(size: Case) {
        for backend in BLASBackends.all { check(size, backend) }
    }

    private func check(_ size: Case, _ backend: any BLASBackend) {
        _ = ready
        let (m, n, k) = (size.m, size.n, size.k)
        var generator = SeededGenerator(seed: UInt64(m * 1000 + n))
        let (a, b, initial) = (generator.normals(m * k), generator.normals(k * n), generator.normals(m * n))
        for aOperand in [Operand.asStored, .transposed] {
            for bOperand in [Operand.asStored, .transposed] {
                let reference = Reference.matmul(
                    a.doubles, b.doubles, m: m, n: n, k: k, aTransposed: aOperand == .transposed,
                    bTransposed: bOperand == .transposed)
                let (aRows, aColumns) = aOperand == .asStored ? (m, k) : (k, m)
                let (bRows, bColumns) = bOperand == .asStored ? (k, n) : (n, k)
                // The buffers have names so that they live on, because matrices do not own their memory.
                let left = Strided(a, rows: aRows, columns: aColumns, padding: 5)
                let right = Strided(b, rows: bRows, columns: bColumns, padding: 2)
                for adding in [false, true] {
                    // Without adding, the old contents are NaN, so the test notices a backend that reads them.
                    let old = adding ? initial : [Float](repeating: .nan, count: m * n)
                    let target = Strided(old, rows: m, columns: n, padding: 3)
                    multiply(
                        left.matrix, aOperand, right.matrix, bOperand, into: target.matrix,
                        adding: adding, backend: backend)
                    let expected = zip(reference, initial).map { $0 + (adding ? Double($1) : 0) }
                    let note = Comment(rawValue: "\(backend.name) \(aOperand) \(bOperand) adding \(adding)")
                    #expect(disagreement(target.elements, expected, within: Double(k + 1) * 0x1p-24) == nil, note)
                    #expect(target.isIntact && left.isIntact && right.isIntact, note)
                }
            }
        }
    }

    /// Every transpose of bf16 operands, with and without adding.
    ///
    /// Tolerance: products of two bf16 numbers are exact in fp32, so only the k additions round, by 2^-24 each. The
    /// reference multiplies the rounded operands.
    @Test(
        .enabled(if: BLASBackends.hasBFloat16GEMM, "this processor has no bf16 products"),
        arguments: [
            Case(1, 1, 1), Case(3, 5, 7), Case(20, 33, 48), Case(65, 130, 31), Case(1, 200, 64), Case(100, 90, 300),
        ])
    func bfloat16GEMMsEqualTheDefinition(size: Case) {
        _ = ready
        let (m, n, k) = (size.m, size.n, size.k)
        var generator = SeededGenerator(seed: UInt64(m * 1000 + n))
        let (a, b) = (downcast(generator.normals(m * k)), downcast(generator.normals(k * n)))
        let initial = generator.normals(m * n)
        for aOperand in [Operand.asStored, .transposed] {
            for bOperand in [Operand.asStored, .transposed] {
                let reference = Reference.matmul(
                    a.array.doubles, b.array.doubles, m: m, n: n, k: k, aTransposed: aOperand == .transposed,
                    bTransposed: bOperand == .transposed)
                let (aRows, aColumns) = aOperand == .asStored ? (m, k) : (k, m)
                let (bRows, bColumns) = bOperand == .asStored ? (k, n) : (n, k)
                for adding in [false, true] {
                    let old = adding ? initial : [Float](repeating: .nan, count: m * n)
                    let target = Strided(old, rows: m, columns: n, padding: 3)
                    multiply(
                        BFloat16Matrix(a, rows: aRows, columns: aColumns), aOperand,
                        BFloat16Matrix(b, rows: bRows, columns: bColumns), bOperand, into: target.matrix,
                        adding: adding, backend: BLASBackends.bfloat16)
                    let expected = zip(reference, initial).map { $0 + (adding ? Double($1) : 0) }
                    let note = Comment(rawValue: "\(aOperand) \(bOperand) adding \(adding)")
                    #expect(disagreement(target.elements, expected, within: Double(k + 1) * 0x1p-24) == nil, note)
                    #expect(target.isIntact, note)
                }
            }
        }
    }

    private func downcast(_ values: [Float]) -> BFloat16Slice {
        let slice = BFloat16Slice(count: values.count)
        for (index, value) in values.enumerated() { slice.view[index] = value }
        return slice
    }

    @Test(arguments: BLASBackends.all)
    func emptySizes(backend: any BLASBackend) {
        _ = ready
        let slice = FloatSlice([1, 2, 3, 4, 5, 6])
        let nothing = Matrix(slice, rows: 2, columns: 0)
        multiply(
            nothing, .asStored, nothing, .transposed, into: Matrix(slice, rows: 2, columns: 2), adding: true,
            backend: backend)
        #expect(slice.array == [1, 2, 3, 4, 5, 6])
        // An empty sum is 0.
        multiply(nothing, .asStored, nothing, .transposed, into: Matrix(slice, rows: 2, columns: 2), backend: backend)
        #expect(slice.array == [0, 0, 0, 0, 5, 6])
        let noRows = Matrix(slice, rows: 0, columns: 3)
        multiply(
            noRows, .asStored, Matrix(slice, rows: 3, columns: 2), .asStored,
            into: Matrix(slice, rows: 0, columns: 2), backend: backend)
        #expect(slice.array == [0, 0, 0, 0, 5, 6])
    }

    @Test func sizesThatDoNotMatchTrap() async {
        await #expect(processExitsWith: .failure) {
            let a = Matrix(Arena(count: 6).all, rows: 2, columns: 3)
            multiply(
                a, .asStored, a, .asStored, into: Matrix(Arena(count: 6).all, rows: 2, columns: 3), backend: .openBLAS)
        }
        await #expect(processExitsWith: .failure) {
            let a = Matrix(Arena(count: 6).all, rows: 2, columns: 3)
            multiply(
                a, .asStored, a, .transposed, into: Matrix(Arena(count: 6).all, rows: 2, columns: 3), backend: .openBLAS
            )
        }
    }
}
