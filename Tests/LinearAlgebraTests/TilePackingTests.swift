// TilePackingTests - the index of every element of a packed operand.

import Tensors
import Testing

@testable import LinearAlgebra

@Suite(.enabled(if: TileGEMM.isAvailable, "this processor has no tiles"))
struct TilePackingTests {
    /// A window of a larger matrix, at an address that no vector width divides, amid other numbers.
    private func window(rows: Int, columns: Int) -> (matrix: BFloat16Matrix, element: (Int, Int) -> UInt16) {
        let stride = columns + 3
        let slice = BFloat16Slice(count: rows * stride + 1 + 64)
        for index in 0..<slice.count { slice.view[index] = .nan }
        // Values are integers below 256, which bf16 holds. Neighbours differ, and no period divides a block.
        func value(_ row: Int, _ column: Int) -> Float { Float((row * 131 + column * 37) % 251 + 1) }
        for row in 0..<rows {
            for column in 0..<columns { slice.view[1 + row * stride + column] = value(row, column) }
        }
        // The closure owns the memory, because the view does not.
        let view = slice.view.advanced(by: 1, count: rows * stride)
        return (
            BFloat16Matrix(view, rows: rows, columns: columns, stride: stride),
            { row, column in
                withExtendedLifetime(slice) { UInt16(value(row, column).bitPattern >> 16) }
            }
        )
    }

    /// Whole tiles, and partial tiles in either direction and in both. Zeros follow the operand's end.
    ///
    /// The order of a packed operand, outermost first: group of 32 rows or columns, step of 32 along the reduction,
    /// half of the group. A tile of `a` orders by row, then by index along the reduction. A tile of `b` orders by pair
    /// along the reduction, then by column, then by member of the pair.
    @Test(arguments: [(32, 32), (64, 96), (16, 32), (33, 31), (17, 65), (1, 1), (47, 34)])
    func packedOperandsHoldEachElementInItsPlace(count: Int, k: Int) {
        let edge = BFloat16Slice(count: 32 * 32)
        for side in [TileOperand.Side.a, .b] {
            for operand in [Operand.asStored, .transposed] {
                let isAlong = (side == .a) == (operand == .asStored)
                let (matrix, element) = window(rows: isAlong ? count : k, columns: isAlong ? k : count)
                let (groups, steps) = ((count + 31) / 32, (k + 31) / 32)
                let memory = BFloat16Slice(count: TileOperand.count(count, k: k))
                #expect(memory.count == groups * steps * 1024)
                for index in 0..<memory.count { memory.view[index] = .nan }
                TileOperand(memory.view, groups: groups, steps: steps).pack(
                    matrix, operand, side: side, edge: BFloat16Matrix(edge, rows: 32, columns: 32))
                var wrong = 0
                for outer in 0..<(32 * groups) {
                    for inner in 0..<(32 * steps) {
                        let tile = (outer / 32 * steps + inner / 32) * 1024 + outer % 32 / 16 * 512
                        let place =
                            side == .a
                            ? tile + outer % 16 * 32 + inner % 32
                            : tile + inner % 32 / 2 * 32 + outer % 16 * 2 + inner % 2
                        let exists = outer < count && inner < k
                        let expected = !exists ? 0 : isAlong ? element(outer, inner) : element(inner, outer)
                        if UInt16(memory.view[place].bitPattern >> 16) != expected { wrong += 1 }
                    }
                }
                #expect(wrong == 0, "\(side) \(operand)")
                withExtendedLifetime((edge, memory)) {}
            }
        }
    }
}
