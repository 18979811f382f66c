// AttentionScratch - scratch memory of one thread in attention: blocks of scores, and packed rows of keys and values.

internal import LinearAlgebra
internal import Tensors

/// The scratch memory of one thread for one task.
///
/// Keys, values and their gradients are packed, row after row. Why: rows of one head lie a whole token apart in `qkv`,
/// mostly a multiple of 2 KiB. They would fall into a few sets of the caches and evict each other.
struct AttentionScratch {
    /// Packed rows of one head, `[T, Dh]`.
    enum Rows: Int, CaseIterable {
        case keys, values, keyGradients, valueGradients
    }

    /// Number of score blocks: probabilities, and their gradients in the backward pass.
    private static let scoreBlocks = 2

    private let view: FloatView
    private let attention: Attention

    /// Number of floats for one thread.
    static func count(_ attention: Attention) -> Int {
        scoreBlocks * attention.scoreCount + Rows.allCases.count * attention.positions * attention.headSize
    }

    init(_ attention: Attention, _ scratch: FloatView, worker: Int) {
        let count = Self.count(attention)
        view = scratch.advanced(by: worker * count, count: count)
        self.attention = attention
    }

    /// The first or second block of scores.
    func scores(_ number: Int, rows: Int, columns: Int, like operand: OperandMatrix) -> ScoreBlock {
        ScoreBlock(view, number * attention.scoreCount, rows: rows, columns: columns, like: operand)
    }

    /// A dense copy `[T, Dh]` of `source` in its dtype, of which only the rows in `range` are set.
    ///
    /// Each row keeps its index. Why: the alignment of a matmul's operand then depends on its rows only.
    func packed(_ source: OperandMatrix, rows range: Range<Int>, in rows: Rows) -> OperandMatrix {
        let (T, headSize) = (attention.positions, attention.headSize)
        switch source {
        case .fp32(let matrix):
            let copy = Matrix(memory(rows), rows: T, columns: headSize)
            matrix.block(rows: range).copy(to: copy.block(rows: range))
            return .fp32(copy)
        case .bf16(let matrix):
            let copy = BFloat16Matrix(
                BFloat16View(over: memory(rows)), rows: T, columns: headSize, stride: headSize)
            matrix.block(rows: range).copy(to: copy.block(rows: range))
            return .bf16(copy)
        }
    }

    /// `[T, Dh]` zeros, to add gradients to.
    func zeros(in rows: Rows) -> Matrix {
        memory(rows).fill(0)
        return Matrix(memory(rows), rows: attention.positions, columns: attention.headSize)
    }

    private func memory(_ rows: Rows) -> FloatView {
        let count = attention.positions * attention.headSize
        return view.advanced(by: Self.scoreBlocks * attention.scoreCount + rows.rawValue * count, count: count)
    }
}
