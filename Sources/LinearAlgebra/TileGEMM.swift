// TileGEMM - bf16 matmuls on the tiles of AMX, of operands that the caller packed.

internal import CTiles
package import Tensors

/// An operand in the order in which tiles read it: groups of 32 rows of `a`, or of 32 columns of `b`, each of some steps of 32
/// along the reduction; what a last group or step lacks is zero.
///
/// A step of a group is 32 x 32 numbers, in two tiles of 16 rows or columns. A tile of `a` has the 32 numbers of each row one
/// behind the other, a tile of `b` pairs along the reduction: the pair of each column, then the next pair of each. Does not own
/// its memory.
package struct TileOperand: Sendable {
    /// Rows or columns of a group, and length of a step.
    package static let edge = Int(ctiles_edge)
    /// Rows or columns of a tile.
    package static let tileEdge = edge / 2

    package let view: BFloat16View
    package let groups: Int
    package let steps: Int
    /// Groups one behind the other, over the start of `view`. Traps when the last one would end outside of it.
    package init(_ view: BFloat16View, groups: Int, steps: Int) {
        precondition(groups > 0 && steps > 0, "impossible packed operand")
        precondition(groups * steps * Int(ctiles_step_numbers) <= view.count, "a packed operand outside its memory")
        self.view = view
        self.groups = groups
        self.steps = steps
    }

    /// Numbers from the start of one group to the start of the next.
    var stride: Int { steps * Int(ctiles_step_numbers) }

    /// Numbers that a packed operand of `count` rows or columns and a reduction of `k` takes.
    package static func count(_ count: Int, k: Int) -> Int { parts(count) * parts(k) * Int(ctiles_step_numbers) }

    /// Groups of `count` rows or columns, or steps of a reduction of `count`.
    package static func parts(_ count: Int) -> Int { (count + edge - 1) / edge }

    /// One of the two tiles of a step.
    @inline(__always)
    func tile(group: Int, step: Int, half: Int) -> BFloat16View {
        let start = group * stride + step * Int(ctiles_step_numbers) + half * Int(ctiles_tile_numbers)
        return view.advanced(by: start, count: Int(ctiles_tile_numbers))
    }
}

/// Matmuls on tiles. Not oneDNN's: the kernel of its gemm waits for the stores of each block of the result before it begins the
/// next one, and reaches half of this speed with long reductions and a quarter with short ones.
package enum TileGEMM {
    /// Whether this processor has tiles, and oneDNN uses them too; its environment variable `ONEDNN_MAX_CPU_ISA` counts.
    package static let isAvailable = OneDNNBackend.usesTiles && hasTiles

    /// Whether the processor has tiles that this process may use.
    package static let hasTiles = exist && ctiles_are_permitted() != 0

    /// Whether the processor has tiles; the system, or a container's filter of system calls, may keep them from this process.
    package static let exist = ctiles_exist() != 0

    /// Floating-point operations of a round of ``dots(rounds:)``.
    package static let operationsPerRound = Int(ctiles_dot_operations)

    /// Matmuls of tiles that stay in registers, at the highest rate there is; needs ``hasTiles``. Returns 2^-24 for each operation,
    /// exactly but for the last sums, up to 2^18 rounds.
    package static func dots(rounds: Int) -> Float {
        precondition(hasTiles, "this processor has no tiles")
        return ctiles_dot_rounds(Int64(rounds))
    }

    /// `target = a b + (adding ? target : 0)` on the calling thread; needs ``isAvailable``.
    ///
    /// - Parameter edge: room for a block that `target` has only a part of, 32 x 32.
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
