// TileGEMM - bf16 matmuls on the tiles of AMX, of operands that the caller packed.

internal import CTiles
package import Tensors

/// A packed operand, in the order in which AMX tiles read it. It does not own its memory.
///
/// The operand is a list of groups, 32 rows of `a` or 32 columns of `b` each. A group is a list of steps, each 32
/// numbers along the reduction. Zeros fill the last group and the last step.
///
/// A step of a group is 32 x 32 numbers, in two tiles of 16 rows or columns. A tile of `a` stores row after row. A tile
/// of `b` stores pairs along the reduction: the first pair of every column, then the second pair of every column, and
/// so on.
package struct TileOperand: Sendable {
    /// Rows or columns of a group, and length of a step.
    package static let edge = Int(ctiles_edge)
    /// Rows or columns of a tile.
    static let tileEdge = edge / 2

    package let view: BFloat16View
    package let groups: Int
    package let steps: Int

    /// An operand of `groups` groups over the start of `view`; traps when it does not fit.
    package init(_ view: BFloat16View, groups: Int, steps: Int) {
        precondition(groups > 0 && steps > 0, "impossible packed operand")
        precondition(groups * steps * Int(ctiles_step_numbers) <= view.count, "a packed operand outside its memory")
        self.view = view
        self.groups = groups
        self.steps = steps
    }

    /// Numbers from the start of one group to the start of the next.
    var stride: Int { steps * Int(ctiles_step_numbers) }

    /// Number of elements of a packed operand of `count` rows or columns with reduction length `k`.
    package static func count(_ count: Int, k: Int) -> Int { parts(count) * parts(k) * Int(ctiles_step_numbers) }

    /// Number of groups of `count` rows or columns, or of steps of a reduction of length `count`.
    package static func parts(_ count: Int) -> Int { (count + edge - 1) / edge }

    /// One of the two tiles of a step.
    @inline(__always)
    func tile(group: Int, step: Int, half: Int) -> BFloat16View {
        let start = group * stride + step * Int(ctiles_step_numbers) + half * Int(ctiles_tile_numbers)
        return view.advanced(by: start, count: Int(ctiles_tile_numbers))
    }
}

/// Matmuls of bf16 operands on AMX tiles, by this program's own kernel.
///
/// Why: oneDNN's kernel waits for the stores of a result block before the next block. It reaches half of this speed or
/// less.
package enum TileGEMM {
    /// Whether this process may use tiles, and oneDNN uses them. The environment variable `ONEDNN_MAX_CPU_ISA` counts.
    package static let isAvailable = OneDNNBackend.usesTiles && hasTiles

    /// Whether the processor has tiles that this process may use.
    package static let hasTiles = exist && ctiles_are_permitted() != 0

    /// Whether the processor has tiles. The system, or a container's filter of system calls, may still forbid their
    /// use.
    package static let exist = ctiles_exist() != 0

    /// Floating-point operations of one round of ``dots(rounds:)``.
    package static let operationsPerRound = Int(ctiles_dot_operations)

    /// Matmuls of tiles that stay in registers: the peak rate of bf16 operations. It needs ``hasTiles``.
    ///
    /// - Returns: 2^-24 for each operation, exact but for the last sums, up to 2^18 rounds.
    package static func dots(rounds: Int) -> Float {
        precondition(hasTiles, "this processor has no tiles")
        return ctiles_dot_rounds(Int64(rounds))
    }

    /// `target = a b + (adding ? target : 0)` on the calling thread; needs ``isAvailable``.
    ///
    /// - Parameter edge: workspace `[32, 32]` for blocks that reach beyond `target`.
    package static func multiply(
        _ a: TileOperand, _ b: TileOperand, into target: Matrix, adding: Bool, edge: Matrix
    ) {
        precondition(isAvailable && a.steps == b.steps, "not operands of one product")
        precondition(
            TileOperand.parts(target.rows) == a.groups && TileOperand.parts(target.columns) == b.groups
                && edge.rows == TileOperand.edge && edge.columns == TileOperand.edge, "not the result of this product")
        ctiles_begin()
        defer { ctiles_end() }
        for row in 0..<a.groups {
            for column in 0..<b.groups {
                let (top, left) = (row * TileOperand.edge, column * TileOperand.edge)
                let isWhole = top + TileOperand.edge <= target.rows && left + TileOperand.edge <= target.columns
                if isWhole {
                    unsafe multiply(
                        a, row, b, column, into: target.view.pointer + top * target.stride + left,
                        stride: target.stride, adding: adding)
                } else {
                    let block = target.block(
                        rows: top..<min(top + TileOperand.edge, target.rows),
                        columns: left..<min(left + TileOperand.edge, target.columns))
                    let part = edge.block(rows: 0..<block.rows, columns: 0..<block.columns)
                    if adding { block.copy(to: part) }
                    unsafe multiply(
                        a, row, b, column, into: edge.view.pointer, stride: edge.stride, adding: adding)
                    part.copy(to: block)
                }
            }
        }
    }

    @inline(__always)
    private static func multiply(
        _ a: TileOperand, _ row: Int, _ b: TileOperand, _ column: Int, into target: UnsafeMutablePointer<Float>,
        stride: Int, adding: Bool
    ) {
        unsafe ctiles_multiply(
            a.view.pointer + row * a.stride, b.view.pointer + column * b.stride, Int64(a.steps), target, Int64(stride),
            adding ? 1 : 0)
    }
}
