// AttentionScratch - what one thread needs while it computes a head: blocks of scores, and packed rows of keys and values.

internal import LinearAlgebra
internal import Tensors

/// The scratch memory of one thread.
///
/// In `qkv` the rows of a head lie a token's width apart, mostly a multiple of 2 KiB, so that all rows of all its operands
/// fall into a few sets of the caches and evict each other. What every block of queries reads or adds to is therefore packed,
/// row behind row, for the time of a task.
struct AttentionScratch {
    /// Packed rows of one head, `[T, Dh]`.
    enum Rows: Int, CaseIterable {
        case keys, values, keyGradients, valueGradients
    }

    /// Probabilities, and in the backward pass their gradients.
    private static let scoreBlocks = 2

    private let view: FloatView
    private let attention: Attention

    /// Floats for one thread.
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

    /// A copy of `source` whose rows follow each other, in its format.
    func packed(_ source: OperandMatrix, in rows: Rows) -> OperandMatrix {
        let headSize = attention.headSize
        switch source {
        case .fp32(let matrix):
            let copy = Matrix(place(rows), rows: matrix.rows, columns: headSize)
            matrix.copy(to: copy)
            return .fp32(copy)
        case .bf16(let matrix):
            let copy = BFloat16Matrix(
                BFloat16View(over: place(rows)), rows: matrix.rows, columns: headSize, stride: headSize)
            matrix.copy(to: copy)
            return .bf16(copy)
        }
    }

    /// Zeros to add to.
    func zeros(in rows: Rows) -> Matrix {
        place(rows).fill(0)
        return Matrix(place(rows), rows: attention.positions, columns: attention.headSize)
    }

    private func place(_ rows: Rows) -> FloatView {
        let count = attention.positions * attention.headSize
        return view.advanced(by: Self.scoreBlocks * attention.scoreCount + rows.rawValue * count, count: count)
    }
}
