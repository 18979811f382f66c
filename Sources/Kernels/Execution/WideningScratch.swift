// WideningScratch - products of bf16 operands in fp32: operands widened a block at a time.

internal import LinearAlgebra
internal import Tensors

/// Room for one block of both operands per thread. For processors without bf16 products, and for those whose own are slower:
/// their instruction for bf16 may do half as many operations a second as that for fp32.
final class WideningScratch: Sendable {
    /// Largest edges of a block: those of a panel, and a stretch of the reduction.
    private static let edge = 512

    private let perThread: Int
    private let memory: FloatSlice

    init(threads: Int) {
        perThread = 2 * Self.edge * Self.edge
        memory = Arena(count: threads * perThread).all
    }

    /// `target = op(a) op(b) + (adding ? target : 0)` on the calling thread, `worker`.
    func multiply(
        _ a: BFloat16Matrix, _ aOperand: Operand, _ b: BFloat16Matrix, _ bOperand: Operand, into target: Matrix,
        adding: Bool, worker: Int, libraries: ProductLibraries
    ) {
        let k = aOperand == .asStored ? a.columns : a.rows
        for rows in blocks(target.rows) {
            for columns in blocks(target.columns) {
                for inner in blocks(k) {
                    let aBlock =
                        aOperand == .asStored
                        ? a.block(rows: rows, columns: inner) : a.block(rows: inner, columns: rows)
                    let bBlock =
                        bOperand == .asStored
                        ? b.block(rows: inner, columns: columns) : b.block(rows: columns, columns: inner)
                    LinearAlgebra.multiply(
                        widened(aBlock, slot: 2 * worker), aOperand, widened(bBlock, slot: 2 * worker + 1), bOperand,
                        into: target.block(rows: rows, columns: columns),
                        adding: adding || inner.lowerBound > 0, library: libraries[aOperand, bOperand])
                }
            }
        }
    }

    private func blocks(_ count: Int) -> [Range<Int>] {
        // An empty reduction is one block, whose product is zero.
        count == 0 ? [0..<0] : stride(from: 0, to: count, by: Self.edge).map { $0..<min($0 + Self.edge, count) }
    }

    private func widened(_ matrix: BFloat16Matrix, slot: Int) -> Matrix {
        let room = memory.view.advanced(by: slot * Self.edge * Self.edge, count: matrix.rows * matrix.columns)
        for row in 0..<matrix.rows {
            let source = matrix.view.advanced(by: row * matrix.stride, count: matrix.columns)
            convertLanes(source, into: room.advanced(by: row * matrix.columns, count: matrix.columns))
        }
        return Matrix(room, rows: matrix.rows, columns: matrix.columns)
    }
}
