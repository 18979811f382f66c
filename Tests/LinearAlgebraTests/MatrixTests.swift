// MatrixTests - windows of memory as matrices.

import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// A matrix whose rows lie `padding` floats apart, inside guards; the padding holds a value that must survive.
struct Strided {
    private static let filler: Float = 4.5e30
    private let buffer: GuardedBuffer
    private let (rows, columns, stride): (Int, Int, Int)

    init(_ elements: [Float], rows: Int, columns: Int, padding: Int) {
        (self.rows, self.columns, stride) = (rows, columns, columns + padding)
        var padded = [Float](repeating: Self.filler, count: rows * stride)
        for index in elements.indices { padded[index / columns * stride + index % columns] = elements[index] }
        buffer = GuardedBuffer(padded)
    }

    var matrix: Matrix { Matrix(buffer.slice.view, rows: rows, columns: columns, stride: stride) }

    var elements: [Float] {
        let all = buffer.array
        return (0..<(rows * columns)).map { all[$0 / columns * stride + $0 % columns] }
    }

    /// Whether neither padding nor guards were written.
    var isIntact: Bool {
        buffer.isIntact && buffer.array.enumerated().allSatisfy { $0 % stride < columns || $1 == Self.filler }
    }
}

struct MatrixTests {
    @Test func blocksOfBlocks() {
        let slice = FloatSlice((0..<30).map(Float.init))
        let matrix = Matrix(slice, rows: 5, columns: 6)
        let block = matrix.block(rows: 1..<4, columns: 2..<6).block(columns: 1..<3)
        #expect(block.rows == 3 && block.columns == 2 && block.stride == 6)
        // A matmul with the identity, which is exact, reads the block.
        let (identity, negated) = (FloatSlice([1, 0, 0, 1]), FloatSlice([-1, 0, 0, -1]))
        let target = Arena(count: 6).all
        multiply(
            block, .asStored, Matrix(identity, rows: 2, columns: 2), .asStored,
            into: Matrix(target, rows: 3, columns: 2), backend: .openBLAS)
        #expect(target.array == [9, 10, 15, 16, 21, 22])
        // A matmul writes the block, and only the block changes.
        multiply(
            Matrix(target, rows: 3, columns: 2), .asStored, Matrix(negated, rows: 2, columns: 2), .asStored,
            into: block, backend: .openBLAS)
        let negatives: Set<Int> = [9, 10, 15, 16, 21, 22]
        #expect(
            slice.array == (0..<30).map { (index: Int) in negatives.contains(index) ? -Float(index) : Float(index) })
    }

    /// A copy to rows with another stride, and back. Padding and guards stay unchanged.
    @Test func copies() {
        let elements = (0..<21).map(Float.init)
        let (source, dense) = (
            Strided(elements, rows: 3, columns: 7, padding: 4),
            Strided(elements.map { -$0 }, rows: 3, columns: 7, padding: 0)
        )
        let target = Strided(elements.map { 100 + $0 }, rows: 3, columns: 7, padding: 2)
        source.matrix.copy(to: dense.matrix)
        dense.matrix.copy(to: target.matrix)
        #expect(dense.elements == elements && target.elements == elements)
        #expect(source.isIntact && dense.isIntact && target.isIntact)
        source.matrix.block(columns: 2..<2).copy(to: target.matrix.block(columns: 5..<5))
        #expect(target.elements == elements)
    }

    @Test func copiesOfHalves() {
        let (source, target) = (BFloat16Slice(count: 12), BFloat16Slice(count: 8))
        for index in 0..<12 { source.view[index] = Float(index) }
        for index in 0..<8 { target.view[index] = -1 }
        BFloat16Matrix(source.view, rows: 3, columns: 2, stride: 4)
            .copy(to: BFloat16Matrix(target.view, rows: 3, columns: 2, stride: 3))
        #expect((0..<8).map { target.view[$0] } == [0, 1, -1, 4, 5, -1, 8, 9])
    }

    @Test func copiesOfOtherSizesTrap() async {
        await #expect(processExitsWith: .failure) {
            let slice = FloatSlice([1, 2, 3, 4, 5, 6])
            Matrix(slice, rows: 2, columns: 3).copy(to: Matrix(Arena(count: 6).all, rows: 3, columns: 2))
        }
    }

    @Test func emptyBlocks() {
        let matrix = Matrix(FloatSlice([1, 2, 3, 4]), rows: 2, columns: 2)
        #expect(matrix.block(rows: 2..<2).rows == 0)
        #expect(matrix.block(rows: 0..<1, columns: 1..<1).columns == 0)
        #expect(Matrix(Arena(count: 0).all, rows: 0, columns: 7).columns == 7)
    }

    @Test func matricesThatDoNotFitTrap() async {
        await #expect(processExitsWith: .failure) { _ = Matrix(Arena(count: 5).all, rows: 2, columns: 3) }
        await #expect(processExitsWith: .failure) {
            _ = Matrix(Arena(count: 6).all, rows: 2, columns: 3).block(rows: 1..<3)
        }
        await #expect(processExitsWith: .failure) {
            let slice = Arena(count: 9).all
            _ = Matrix(slice.view, rows: 2, columns: 3, stride: 2)
        }
    }
}
