// TileScratch - bf16 matmuls on AMX tiles: operands packed a part at a time, in caches.

internal import LinearAlgebra
internal import Tensors

/// What each thread needs for such matmuls: room for parts of the operands (1 MiB). It stays where the thread that uses
/// it touched it first.
final class TileScratch: Sendable {
    private let workspaces: [PackingWorkspace]

    init(threads: Int) { workspaces = (0..<threads).map { _ in PackingWorkspace() } }

    /// Whether a matmul goes to tiles: by its sizes only, as the bits of the result must. A few rows, or little work, are not worth
    /// packing the operands.
    static func takes(m: Int, n: Int, k: Int) -> Bool { m >= 16 && n >= 16 && m * n * k >= 1 << 17 }

    /// `target = op(a) op(b) + (adding ? target : 0)` on the calling thread, `worker`. Traps when the sizes do not match.
    ///
    /// Each element is summed in one order, whatever part of a larger result `target` is.
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
                    // A flat matmul has one part of `a` for all columns.
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

/// The buffers of one thread.
///
/// `@unchecked Sendable`: the pool lets one thread at a time be the worker that it belongs to.
@safe final class PackingWorkspace: @unchecked Sendable {
    /// Part of a reduction for which operands are packed: a group of rows then stays in the first cache.
    static let reduction = 512
    /// Rows of `a` and columns of `b` that are packed at a time: both stay in the second cache.
    static let rows = 512
    static let columns = 512

    private lazy var left = BFloat16Slice(count: TileOperand.count(Self.rows, k: Self.reduction))
    private lazy var right = BFloat16Slice(count: TileOperand.count(Self.columns, k: Self.reduction))
    private lazy var edgeMemory = BFloat16Slice(count: TileOperand.edge * TileOperand.edge)
    private lazy var resultMemory = Arena(count: TileOperand.edge * TileOperand.edge).all

    /// A block of the result at its edges.
    var result: Matrix { Matrix(resultMemory, rows: TileOperand.edge, columns: TileOperand.edge) }

    /// `op(matrix)`, which replaces what was packed for this side before.
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
