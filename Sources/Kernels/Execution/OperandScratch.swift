// OperandScratch - fp32 matmuls of operands that are copied first, a block at a time: upcast bf16, or dense fp32.

internal import LinearAlgebra
internal import Tensors

/// Workspace for copied blocks of operands, one or two per thread, and the matmuls over them.
///
/// Upcasting: blocks of bf16 operands become fp32. Why: a processor may lack bf16 matmuls, or its bf16 instruction may
/// do half as many operations a second as fp32.
///
/// Copying: blocks of the first operand of a weight gradient become dense. Why: BLAS backends read that operand down
/// its columns. With a large stride each element lies in another page, all in a few sets of the caches
/// (``isSlow(stride:)``). Some backends then spend much of the matmul's time on packing.
final class OperandScratch: Sendable {
    /// Largest edge of a block.
    private static let edge = 512
    private static let blockCount = edge * rowStride(edge)

    private let blocksPerThread: Int
    let memory: FloatSlice

    /// - Parameter blocks: blocks per thread: 1 to copy one operand, 2 to upcast both.
    init(threads: Int, blocks: Int) {
        blocksPerThread = blocks
        memory = Arena(count: threads * blocks * Self.blockCount).all
    }

    /// Floats from row to row of a block: an odd number of cache lines. Why: rows then begin in different cache sets.
    static func rowStride(_ columns: Int) -> Int { ((columns + laneCount - 1) / laneCount | 1) * laneCount }

    /// Whether reading down a column is slow in a matrix with rows `stride` floats apart.
    ///
    /// It is slow for strides of a page or more that are multiples of 1 KiB. The lines of a column then share a
    /// sixteenth of the cache sets or fewer.
    static func isSlow(stride: Int) -> Bool { stride >= 1024 && stride % 256 == 0 }

    /// `target = op(a) op(b) + (adding ? target : 0)` of upcast operands on the calling thread, `worker`.
    func multiplyUpcast(
        _ a: BFloat16Matrix, _ aOperand: Operand, _ b: BFloat16Matrix, _ bOperand: Operand, into target: Matrix,
        adding: Bool, worker: Int, backends: GEMMBackends
    ) {
        let first = worker * blocksPerThread
        for rows in Self.blocks(target.rows) {
            for columns in Self.blocks(target.columns) {
                for inner in Self.blocks(aOperand == .asStored ? a.columns : a.rows) {
                    let aBlock =
                        aOperand == .asStored
                        ? a.block(rows: rows, columns: inner) : a.block(rows: inner, columns: rows)
                    let bBlock =
                        bOperand == .asStored
                        ? b.block(rows: inner, columns: columns) : b.block(rows: columns, columns: inner)
                    LinearAlgebra.multiply(
                        upcast(aBlock, slot: first), aOperand, upcast(bBlock, slot: first + 1), bOperand,
                        into: target.block(rows: rows, columns: columns),
                        adding: adding || inner.lowerBound > 0, backend: backends[aOperand, bOperand])
                }
            }
        }
    }

    /// `target = a^T b + (adding ? target : 0)` of a copied `a` on the calling thread, `worker`.
    func multiplyCopied(
        transposed a: Matrix, _ b: Matrix, into target: Matrix, adding: Bool, worker: Int, backend: any BLASBackend
    ) {
        for rows in Self.blocks(target.rows) {
            for inner in Self.blocks(a.rows) {
                let block = a.block(rows: inner, columns: rows)
                let copy = workspace(rows: block.rows, columns: block.columns, slot: worker * blocksPerThread)
                block.copy(to: copy)
                LinearAlgebra.multiply(
                    copy, .transposed, b.block(rows: inner), .asStored, into: target.block(rows: rows),
                    adding: adding || inner.lowerBound > 0, backend: backend)
            }
        }
    }

    /// Equal parts of `0..<count`, the last one possibly shorter. An empty reduction is one empty part, whose matmul is
    /// zero.
    static func blocks(_ count: Int) -> [Range<Int>] {
        guard count > 0 else { return [0..<0] }
        let parts = (count + edge - 1) / edge
        let size = (count + parts * laneCount - 1) / (parts * laneCount) * laneCount
        return stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
    }

    private func upcast(_ matrix: BFloat16Matrix, slot: Int) -> Matrix {
        let wide = workspace(rows: matrix.rows, columns: matrix.columns, slot: slot)
        for row in 0..<matrix.rows {
            convertLanes(
                matrix.view.advanced(by: row * matrix.stride, count: matrix.columns),
                into: wide.view.advanced(by: row * wide.stride, count: wide.columns))
        }
        return wide
    }

    private func workspace(rows: Int, columns: Int, slot: Int) -> Matrix {
        let stride = Self.rowStride(columns)
        precondition(rows * stride <= Self.blockCount, "a block of \(rows) x \(columns)")
        return Matrix(
            memory.view.advanced(by: slot * Self.blockCount, count: rows * stride), rows: rows, columns: columns,
            stride: stride)
    }
}
