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

    /// Replaces the `visible` scores of a row by their softmax, and all others by zeros.
    ///
    /// The matmul has left the scores unscaled (see ``multiply(_:_:_:_:into:adding:backend:)``).
    ///
    /// - Returns: the log-sum-exp of the visible scores times `scale`.
    @inline(__always)
    func softmax(row: Int, visible: Range<Int>, scale: Float) -> Float {
        let scores = wideRow(row)
        let lanes = masked(scores, visible: visible)
        let seen = scores.advanced(by: lanes.lowerBound, count: lanes.count)
        let largest = maximum(seen)
        let (shift, scales) = (Lanes(repeating: largest), Lanes(repeating: scale))
        let total = mapSumLanes(seen, into: seen) { exponential(($0 - shift) * scales) }
        let inverse = Lanes(repeating: 1 / total)
        switch operand {
        case .fp32: finish(seen, lanes, into: scores, inverse)
        case .bf16(let matrix):
            finish(seen, lanes, into: matrix.view.advanced(by: row * matrix.stride, count: matrix.columns), inverse)
        }
        return largest * scale + logf(total)
    }

    @inline(__always)
    private func finish(_ seen: FloatView, _ lanes: Range<Int>, into row: some LaneBuffer, _ inverse: Lanes) {
        mapLanes(seen, into: row.advanced(by: lanes.lowerBound, count: lanes.count)) { $0 * inverse }
        clear(row, outside: lanes)
    }
}

/// Turns a row of `p` from unscaled scores into probabilities, and a row of `gradient` from dP into dS.
///
/// `dP = dout v^T` is the gradient of the probabilities, dS the gradient of the unscaled scores.
@inline(__always)
func scoreGradient(
    p: ScoreBlock, gradient: ScoreBlock, row: Int, visible: Range<Int>, lse: Float, delta: Float, scale: Float
) {
    let (shift, deltas, scales) = (Lanes(repeating: lse), Lanes(repeating: delta), Lanes(repeating: scale))
    let lanes = masked(p.wideRow(row), visible: visible)
    let scores = p.wideRow(row).advanced(by: lanes.lowerBound, count: lanes.count)
    let probabilityGradients = gradient.wideRow(row).advanced(by: lanes.lowerBound, count: lanes.count)
    @inline(__always) func finish(_ pRow: some LaneBuffer, _ gradientRow: some LaneBuffer) {
        mapLanePairs(
            scores, probabilityGradients, into: pRow.advanced(by: lanes.lowerBound, count: lanes.count),
            gradientRow.advanced(by: lanes.lowerBound, count: lanes.count)
        ) { score, probabilityGradient in
            let probability = exponential(score * scales - shift)
            return (probability, probability * (probabilityGradient - deltas) * scales)
        }
        clear(pRow, outside: lanes)
        clear(gradientRow, outside: lanes)
    }
    switch (p.operand, gradient.operand) {
    case (.bf16(let pMatrix), .bf16(let gradientMatrix)):
        finish(
            pMatrix.view.advanced(by: row * pMatrix.stride, count: pMatrix.columns),
            gradientMatrix.view.advanced(by: row * gradientMatrix.stride, count: gradientMatrix.columns))
    default: finish(p.wideRow(row), gradient.wideRow(row))
    }
}

/// Pads the visible scores of a row to whole lanes by masked scores, whose exponential is exactly 0.
///
/// Why: loops then meet partial lanes only at the end of the whole row.
///
/// - Returns: the range of the padded scores.
@inline(__always)
private func masked(_ row: FloatView, visible: Range<Int>) -> Range<Int> {
    let start = visible.lowerBound / laneCount * laneCount
    let end = min((visible.upperBound + laneCount - 1) / laneCount * laneCount, row.count)
    for index in start..<visible.lowerBound { row[index] = -1e30 }
    for index in visible.upperBound..<end { row[index] = -1e30 }
    return start..<end
}

@inline(__always)
private func clear(_ row: some LaneBuffer, outside lanes: Range<Int>) {
    clear(row.advanced(by: 0, count: lanes.lowerBound))
    clear(row.advanced(by: lanes.upperBound, count: row.count - lanes.upperBound))
}

@inline(__always)
private func clear(_ row: some LaneBuffer) { mapLanes(row, into: row) { _ in Lanes(repeating: 0) } }
