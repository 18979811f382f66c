// ScoreBlock - a block of attention scores in scratch memory, and the softmax over its rows, forward and backward.

internal import Glibc
internal import LinearAlgebra
internal import Tensors

/// The scores of a block of queries in fp32, and the operand of the next matmul, in one memory.
///
/// In bf16 a row of the operand takes the first half of the row's memory, so writing never overtakes reading.
struct ScoreBlock {
    /// `[queries, keys]`, fp32.
    let wide: Matrix
    /// `[queries, keys]` in the compute dtype of matmuls.
    let operand: OperandMatrix

    /// - Parameters:
    ///   - offset: index of the block's first float in `scratch`.
    ///   - like: an operand that gives the dtype.
    init(_ scratch: FloatView, _ offset: Int, rows: Int, columns: Int, like: OperandMatrix) {
        let view = scratch.advanced(by: offset, count: rows * columns)
        wide = Matrix(view, rows: rows, columns: columns)
        switch like {
        case .fp32: operand = .fp32(wide)
        case .bf16:
            operand = .bf16(
                BFloat16Matrix(BFloat16View(over: view), rows: rows, columns: columns, stride: 2 * columns))
        }
    }

    @inline(__always)
    fileprivate func wideRow(_ row: Int) -> FloatView {
        wide.view.advanced(by: row * wide.columns, count: wide.columns)
    }

    /// Replaces the first `visible` scores of a row by their softmax, and all later scores by zeros.
    ///
    /// The matmul has left the scores unscaled (see ``multiply(_:_:_:_:into:adding:backend:)``).
    ///
    /// - Returns: the log-sum-exp of the visible scores times `scale`.
    @inline(__always)
    func softmax(row: Int, visible: Int, scale: Float) -> Float {
        let scores = wideRow(row)
        let seen = masked(scores, visible: visible)
        let largest = maximum(seen)
        let (shift, scales) = (Lanes(repeating: largest), Lanes(repeating: scale))
        let total = mapSumLanes(seen, into: seen) { exponential(($0 - shift) * scales) }
        let inverse = Lanes(repeating: 1 / total)
        switch operand {
        case .fp32: finish(seen, into: scores, inverse)
        case .bf16(let matrix):
            finish(seen, into: matrix.view.advanced(by: row * matrix.stride, count: matrix.columns), inverse)
        }
        return largest * scale + logf(total)
    }

    @inline(__always)
    private func finish(_ seen: FloatView, into row: some LaneBuffer, _ inverse: Lanes) {
        mapLanes(seen, into: row.advanced(by: 0, count: seen.count)) { $0 * inverse }
        clear(row.advanced(by: seen.count, count: row.count - seen.count))
    }
}

/// Turns a row of `p` from unscaled scores into probabilities, and a row of `gradient` from dP into dS.
///
/// `dP = dout v^T` is the gradient of the probabilities, dS the gradient of the unscaled scores.
@inline(__always)
func scoreGradient(
    p: ScoreBlock, gradient: ScoreBlock, row: Int, visible: Int, lse: Float, delta: Float, scale: Float
) {
    let (shift, deltas, scales) = (Lanes(repeating: lse), Lanes(repeating: delta), Lanes(repeating: scale))
    let scores = masked(p.wideRow(row), visible: visible)
    let probabilityGradients = gradient.wideRow(row).advanced(by: 0, count: scores.count)
    @inline(__always) func finish(_ pRow: some LaneBuffer, _ gradientRow: some LaneBuffer) {
        mapLanePairs(
            scores, probabilityGradients, into: pRow.advanced(by: 0, count: scores.count),
            gradientRow.advanced(by: 0, count: scores.count)
        ) { score, probabilityGradient in
            let probability = exponential(score * scales - shift)
            return (probability, probability * (probabilityGradient - deltas) * scales)
        }
        clear(pRow.advanced(by: scores.count, count: pRow.count - scores.count))
        clear(gradientRow.advanced(by: scores.count, count: gradientRow.count - scores.count))
    }
    switch (p.operand, gradient.operand) {
    case (.bf16(let pMatrix), .bf16(let gradientMatrix)):
        finish(
            pMatrix.view.advanced(by: row * pMatrix.stride, count: pMatrix.columns),
            gradientMatrix.view.advanced(by: row * gradientMatrix.stride, count: gradientMatrix.columns))
    default: finish(p.wideRow(row), gradient.wideRow(row))
    }
}

/// The visible scores of a row, padded to whole lanes by masked scores, whose exponential is exactly 0.
///
/// Why: loops then meet partial lanes only at the end of the whole row.
@inline(__always)
private func masked(_ row: FloatView, visible: Int) -> FloatView {
    let end = min((visible + laneCount - 1) / laneCount * laneCount, row.count)
    for index in visible..<end { row[index] = -1e30 }
    return row.advanced(by: 0, count: end)
}

@inline(__always)
private func clear(_ row: some LaneBuffer) { mapLanes(row, into: row) { _ in Lanes(repeating: 0) } }
