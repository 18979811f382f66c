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

    private let view: FloatView
    private let scoreCount: Int
    private let positions: Int
    private let headSize: Int

    /// Floats for one thread.
    static func count(scoreCount: Int, positions: Int, headSize: Int) -> Int {
        2 * scoreCount + Rows.allCases.count * positions * headSize
    }

    init(_ attention: Attention, _ scratch: FloatView, worker: Int) {
        let count = attention.scratchPerThread
        view = scratch.advanced(by: worker * count, count: count)
        scoreCount = attention.scoreCount
        positions = attention.positions
        headSize = attention.headSize
    }

    /// The first or second block of scores.
    func scores(_ number: Int, rows: Int, columns: Int, like operand: MixedMatrix) -> ScoreBlock {
        ScoreBlock(view, number * scoreCount, rows: rows, columns: columns, like: operand)
    }

    /// A copy of `source` whose rows follow each other, in its format.
    func packed(_ source: MixedMatrix, in rows: Rows) -> MixedMatrix {
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
        return Matrix(place(rows), rows: positions, columns: headSize)
    }

    private func place(_ rows: Rows) -> FloatView {
        let count = positions * headSize
        return view.advanced(by: 2 * scoreCount + rows.rawValue * count, count: count)
    }
}

extension Attention {
    /// Floats of scratch for one thread.
    var scratchPerThread: Int {
        AttentionScratch.count(scoreCount: scoreCount, positions: positions, headSize: headSize)
    }
}
