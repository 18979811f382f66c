// TilePacking - operands of bf16 matmuls in the order in which AMX tiles read them.

internal import CTiles
internal import Tensors

extension TileOperand {
    /// The side of a matmul on which an operand stands.
    package enum Side: Sendable {
        case a
        case b
    }

    /// Packs `op(matrix)`, which stands on `side`, into this operand's memory; needs ``TileGEMM/isAvailable``.
    ///
    /// - Parameter edge: workspace `[32, 32]` for tiles that reach beyond `matrix`.
    package func pack(_ matrix: BFloat16Matrix, _ operand: Operand, side: Side, edge: BFloat16Matrix) {
        // Rows of `a` and of a transposed `b` run along the reduction.
        let isAlong = (side == .a) == (operand == .asStored)
        let (count, k) = isAlong ? (matrix.rows, matrix.columns) : (matrix.columns, matrix.rows)
        precondition(TileGEMM.isAvailable, "this processor has no tiles")
        precondition(Self.parts(count) == groups && Self.parts(k) == steps, "a packed operand of other sizes")
        precondition(
            edge.rows == Self.edge && edge.columns == Self.edge && edge.stride == Self.edge,
            "room for a tile of other sizes")
        // The loops follow the rows of the matrix, so that each cache line is used as a whole.
        if isAlong {
            for tile in 0..<(2 * groups) {
                for step in 0..<steps { packTile(matrix, isAlong: true, side, tile: tile, step: step, edge) }
            }
        } else {
            for step in 0..<steps {
                for tile in 0..<(2 * groups) {
                    packTile(matrix, isAlong: false, side, tile: tile, step: step, edge)
                }
            }
        }
    }

    /// Packs one tile of a step, tile number `tile` along the rows or columns of the matmul.
    @inline(__always)
    private func packTile(
        _ matrix: BFloat16Matrix, isAlong: Bool, _ side: Side, tile: Int, step: Int, _ edge: BFloat16Matrix
    ) {
        let (outer, inner) = (tile * Self.tileEdge, step * Self.edge)
        let (row, column) = isAlong ? (outer, inner) : (inner, outer)
        let (rows, columns) = isAlong ? (Self.tileEdge, Self.edge) : (Self.edge, Self.tileEdge)
        let target = self.tile(group: tile / 2, step: step, half: tile % 2)
        if row + rows <= matrix.rows && column + columns <= matrix.columns {
            let start = row * matrix.stride + column
            let window = matrix.view.advanced(by: start, count: (rows - 1) * matrix.stride + columns)
            packTile(window, stride: matrix.stride, isAlong: isAlong, side, into: target)
        } else {
            edge.view.advanced(by: 0, count: Self.edge * Self.edge).fill(0)
            let window = matrix.block(
                rows: min(row, matrix.rows)..<min(row + rows, matrix.rows),
                columns: min(column, matrix.columns)..<min(column + columns, matrix.columns))
            window.copy(to: edge.block(rows: 0..<window.rows, columns: 0..<window.columns))
            packTile(edge.view, stride: edge.stride, isAlong: isAlong, side, into: target)
        }
    }

    @inline(__always)
    private func packTile(
        _ window: BFloat16View, stride: Int, isAlong: Bool, _ side: Side, into tile: BFloat16View
    ) {
        if isAlong {
            unsafe ctiles_pack_along(window.pointer, Int64(stride), side == .b ? 1 : 0, tile.pointer)
        } else {
            unsafe ctiles_pack_across(window.pointer, Int64(stride), side == .a ? 1 : 0, tile.pointer)
        }
    }
}
