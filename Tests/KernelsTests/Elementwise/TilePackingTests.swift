// TilePackingTests - every element of a packed operand is where its definition says.

import LinearAlgebra
import Tensors
import TestSupport
import Testing

@testable import Kernels

struct TilePackingTests {
    /// A window of a larger matrix, at an address that no vector width divides.
    private func window(
        rows: Int, columns: Int
    ) -> (matrix: BFloat16Matrix, element: (Int, Int) -> UInt16, memory: BFloat16Slice) {
        let stride = columns + 3
        let slice = BFloat16Slice(count: rows * stride + 1)
        // Values differ between neighbours in both directions, with periods that blocks do not have, and survive as bf16:
        // integers below 256.
        func value(_ row: Int, _ column: Int) -> Float { Float((row * 131 + column * 37) % 251) }
        for row in 0..<rows {
            for column in 0..<columns { slice.view[1 + row * stride + column] = value(row, column) }
        }
        let view = slice.view.advanced(by: 1, count: rows * stride)
        return (
            BFloat16Matrix(view, rows: rows, columns: columns, stride: stride),
            { UInt16(value($0, $1).bitPattern >> 16) }, slice
        )
    }

    private func bits(_ slice: BFloat16Slice) -> [UInt16] { slice.array.map { UInt16($0.bitPattern >> 16) } }

    /// oneDNN's `BA16a64b2a`: blocks of 64 columns outermost, then 16 pairs of rows, 64 columns, the two of a pair.
    @Test(arguments: [(32, 64), (64, 64), (32, 192), (96, 128)])
    func packedOperandsHoldEachElementInItsPlace(k: Int, n: Int) {
        for operand in [Operand.asStored, .transposed] {
            let (rows, columns) = operand == .asStored ? (k, n) : (n, k)
            let (matrix, element, memory) = window(rows: rows, columns: columns)
            let target = BFloat16Slice(count: k * n)
            packTiles(matrix, operand, into: target.view)
            let packed = bits(target)
            var wrong = 0
            for row in 0..<k {
                for column in 0..<n {
                    let place = column / 64 * 64 * k + row / 2 * 128 + column % 64 * 2 + row % 2
                    let expected = operand == .asStored ? element(row, column) : element(column, row)
                    if packed[place] != expected { wrong += 1 }
                }
            }
            #expect(wrong == 0, "\(operand)")
            withExtendedLifetime(memory) {}
        }
    }

    @Test(arguments: [(32, 16), (64, 48), (96, 16), (32, 80)])
    func transposedHoldsRowsAsColumns(rows: Int, columns: Int) {
        let (matrix, element, memory) = window(rows: rows, columns: columns)
        let target = BFloat16Slice(count: rows * columns)
        transpose(matrix, into: target.view)
        let transposed = bits(target)
        let expected = (0..<(rows * columns)).map { element($0 % rows, $0 / rows) }
        #expect(transposed == expected)
        withExtendedLifetime(memory) {}
    }
}
