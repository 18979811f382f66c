// TileGEMMTests - matmuls on tiles against the triple loop in double.

import Tensors
import TestSupport
import Testing

@testable import LinearAlgebra

@Suite(.enabled(if: TileGEMM.isAvailable, "this processor has no tiles"))
struct TileGEMMTests {
    private func packed(_ values: BFloat16Slice, rows: Int, columns: Int, _ side: TileOperand.Side) -> (
        operand: TileOperand, memory: BFloat16Slice
    ) {
        let (count, k) = side == .a ? (rows, columns) : (columns, rows)
        let memory = BFloat16Slice(count: TileOperand.count(count, k: k))
        let operand = TileOperand(
            memory.view, groups: TileOperand.parts(count), steps: TileOperand.parts(k))
        // A matrix does not own its memory.
        let edge = BFloat16Slice(count: 1024)
        operand.pack(
            BFloat16Matrix(values, rows: rows, columns: columns), .asStored, side: side,
            edge: BFloat16Matrix(edge, rows: 32, columns: 32))
        withExtendedLifetime((edge, values)) {}
        return (operand, memory)
    }

    /// Results with whole blocks and with partial blocks at either edge, and with padded rows. Reductions of one step,
    /// of several steps, and of a length that steps do not divide.
    ///
    /// Tolerance: products of bf16 numbers are exact in fp32; k additions round by 2^-24 in any order.
    @Test(arguments: [
        (32, 32, 32), (64, 96, 64), (33, 32, 32), (32, 65, 96), (7, 5, 3), (70, 50, 100), (16, 192, 1024),
    ])
    func equalsTheDefinition(m: Int, n: Int, k: Int) {
        var generator = SeededGenerator(seed: UInt64(m + n + k))
        let (a, b) = (BFloat16Slice(count: m * k), BFloat16Slice(count: k * n))
        for slice in [a, b] {
            for (index, value) in generator.normals(slice.count).enumerated() { slice.view[index] = value }
        }
        let (left, right) = (packed(a, rows: m, columns: k, .a), packed(b, rows: k, columns: n, .b))
        let sums = Reference.matmul(
            a.array.doubles, b.array.doubles, m: m, n: n, k: k, aTransposed: false, bTransposed: false)
        let edge = Arena(count: 1024).all
        for (adding, stride) in [(false, n), (true, n), (false, n + 5), (true, n + 5)] {
            let initial = generator.normals(m * stride)
            let target = GuardedBuffer(initial)
            TileGEMM.multiply(
                left.operand, right.operand, into: Matrix(target.slice.view, rows: m, columns: n, stride: stride),
                adding: adding, edge: Matrix(edge, rows: 32, columns: 32))
            let result = target.array
            let expected = result.indices.map { index in
                let (row, column) = (index / stride, index % stride)
                if column >= n { return Double(initial[index]) }
                return sums[row * n + column] + (adding ? Double(initial[index]) : 0)
            }
            #expect(disagreement(result, expected, within: Double(k + 1) * 0x1p-24) == nil)
            for index in result.indices where index % stride >= n && result[index] != initial[index] {
                Issue.record("the place between two rows was written")
            }
            #expect(target.isIntact)
        }
        withExtendedLifetime((a, b, left.memory, right.memory, edge)) {}
    }

    /// Each sum has one order. A reduction in two halves gives the bits of the whole one. Control: exchanged halves do
    /// not.
    @Test func aReductionMayBeCut() {
        let (m, n, k) = (32, 64, 256)
        var generator = SeededGenerator(seed: 5)
        let (a, b) = (BFloat16Slice(count: m * k), BFloat16Slice(count: k * n))
        for slice in [a, b] {
            for (index, value) in generator.normals(slice.count).enumerated() { slice.view[index] = value }
        }
        let edge = Arena(count: 1024).all
        func product(_ parts: [Range<Int>]) -> [Float] {
            let target = FloatSlice([Float](repeating: .nan, count: m * n))
            for (index, part) in parts.enumerated() {
                let (left, right) = (BFloat16Slice(count: m * part.count), BFloat16Slice(count: part.count * n))
                BFloat16Matrix(a, rows: m, columns: k).block(columns: part)
                    .copy(to: BFloat16Matrix(left, rows: m, columns: part.count))
                BFloat16Matrix(b, rows: k, columns: n).block(rows: part)
                    .copy(to: BFloat16Matrix(right, rows: part.count, columns: n))
                let (first, second) = (
                    packed(left, rows: m, columns: part.count, .a), packed(right, rows: part.count, columns: n, .b)
                )
                TileGEMM.multiply(
                    first.operand, second.operand, into: Matrix(target, rows: m, columns: n), adding: index > 0,
                    edge: Matrix(edge, rows: 32, columns: 32))
                withExtendedLifetime((first.memory, second.memory)) {}
            }
            return target.array
        }
        let whole = product([0..<256])
        #expect(bitDifference(product([0..<128, 128..<256]), whole) == nil)
        #expect(bitDifference(product([128..<256, 0..<128]), whole) != nil)
        withExtendedLifetime((a, b, edge)) {}
    }
}
