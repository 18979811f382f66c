// TileScratch - bf16 matmuls on AMX tiles, whose operands are packed in parts that fit the caches.

internal import LinearAlgebra
internal import Tensors

/// A packing workspace of 1 MiB for each thread, and the matmuls over them.
///
/// A workspace is allocated by the first thread that uses it. Why: its memory then lies near that thread's core.
final class TileScratch: Sendable {
    private let workspaces: [PackingWorkspace]

    init(threads: Int) { workspaces = (0..<threads).map { _ in PackingWorkspace() } }

    /// Whether tiles compute a matmul of these sizes. Why: a few rows, or little work, do not pay for packing the
    /// operands.
    ///
    /// Only the sizes decide, so that the bits of the result depend on nothing else.
    static func takes(m: Int, n: Int, k: Int) -> Bool { m >= 16 && n >= 16 && m * n * k >= 1 << 17 }

    /// `target [m, n] = op(a) [m, k] op(b) [k, n] + (adding ? target : 0)` on the calling thread, `worker`.
    ///
    /// The order of each element's sum depends on k alone, not on the sizes of `target`. Traps when the sizes do not
    /// match.
    func multiply(
        _ a: BFloat16Matrix, _ aOperand: Operand, _ b: BFloat16Matrix, _ bOperand: Operand, into target: Matrix,
        adding: Bool, worker: Int
    ) {
        let k = innerSize((a.rows, a.columns), aOperand, (b.rows, b.columns), bOperand, target)
        precondition(k > 0, "a product without a reduction: nothing would be written")
        let workspace = workspaces[worker]
        var packedLeft: (rows: Range<Int>, inner: Range<Int>, operand: TileOperand)?
        for column in stride(from: 0, to: target.columns, by: PackingWorkspace.columns) {
            let columns = column..<min(column + PackingWorkspace.columns, target.columns)
            for start in stride(from: 0, to: k, by: PackingWorkspace.reduction) {
                let inner = start..<min(start + PackingWorkspace.reduction, k)
                let right = workspace.packed(
                    bOperand == .asStored
                        ? b.block(rows: inner, columns: columns) : b.block(rows: columns, columns: inner),
                    bOperand, side: .b)
                for row in stride(from: 0, to: target.rows, by: PackingWorkspace.rows) {
                    let rows = row..<min(row + PackingWorkspace.rows, target.rows)
                    // A flat matmul packs `a` once for all columns.
                    if packedLeft == nil || packedLeft?.rows != rows || packedLeft?.inner != inner {
                        let block =
                            aOperand == .asStored
                            ? a.block(rows: rows, columns: inner) : a.block(rows: inner, columns: rows)
                        packedLeft = (rows, inner, workspace.packed(block, aOperand, side: .a))
                    }
                    guard let left = packedLeft?.operand else { continue }
                    TileGEMM.multiply(
                        left, right, into: target.block(rows: rows, columns: columns), adding: adding || start > 0,
                        edge: workspace.result)
                }
            }
        }
    }
}

/// The packing buffers of one thread.
///
/// `@unchecked Sendable`: one thread at a time is the worker that a workspace belongs to.
@safe final class PackingWorkspace: @unchecked Sendable {
    /// Reduction length of a packed part. Why: a group of rows then fits the first-level cache.
    static let reduction = 512
    /// Rows of `a` in a packed part. Why: the parts of both operands then fit the second-level cache.
    static let rows = 512
    /// Columns of `b` in a packed part.
    static let columns = 512

    private lazy var left = BFloat16Slice(count: TileOperand.count(Self.rows, k: Self.reduction))
    private lazy var right = BFloat16Slice(count: TileOperand.count(Self.columns, k: Self.reduction))
    private lazy var edgeMemory = BFloat16Slice(count: TileOperand.edge * TileOperand.edge)
    private lazy var resultMemory = Arena(count: TileOperand.edge * TileOperand.edge).all

    /// Workspace `[32, 32]` for blocks that reach beyond the result.
    var result: Matrix { Matrix(resultMemory, rows: TileOperand.edge, columns: TileOperand.edge) }

    /// `op(matrix)` packed, in place of the operand that was packed for `side` before.
    func packed(_ matrix: BFloat16Matrix, _ operand: Operand, side: TileOperand.Side) -> TileOperand {
        let isAlong = (side == .a) == (operand == .asStored)
        let (count, k) = isAlong ? (matrix.rows, matrix.columns) : (matrix.columns, matrix.rows)
        let target = TileOperand(
            (side == .a ? left : right).view, groups: TileOperand.parts(count), steps: TileOperand.parts(k))
        target.pack(
            matrix, operand, side: side,
            edge: BFloat16Matrix(edgeMemory, rows: TileOperand.edge, columns: TileOperand.edge))
        return target
    }
}
