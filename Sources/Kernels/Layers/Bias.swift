// Bias - the addend of a linear layer, and its gradient.
//
// Legend: N tokens, D features of a row. y_ND and dy_ND hold one token's row after another.

public import Tensors

/// The bias of a linear layer. It is added to each row. Its gradient is the sum of the rows' gradients.
public enum Bias {
    /// `y += bias`, row by row.
    ///
    /// - Parameters:
    ///   - y: `[N, D]`.
    ///   - bias: `[D]`.
    public static func add(_ pool: ThreadPool, _ bias: FloatSlice, to y: FloatSlice) {
        let D = bias.count
        precondition(y.count % D == 0, "bias: rows of \(D) in \(y.count) floats")
        let (y_ND, bias_D) = (y.view, bias.view)
        pool.runRanges(count: y.count / D, grain: tokenTile) { tokens, _ in
            for n in tokens {
                let row = y_ND.advanced(by: n * D, count: D)
                mapLanes(row, bias_D, into: row) { $0 + $1 }
            }
        }
    }

    /// Number of scratch floats of ``gradient(_:outputGradient:into:adding:scratch:)``.
    public static func scratchCount(tokens N: Int, features D: Int) -> Int { (N + tokenTile - 1) / tokenTile * D }

    /// `dbias = sum_n dy` over tiles of tokens, in the order of the tiles.
    ///
    /// - Parameters:
    ///   - outputGradient: dy, `[N, D]`, in the compute dtype of matmuls.
    ///   - gradient: dbias, `[D]`; overwritten unless `adding`.
    ///   - scratch: ``scratchCount(tokens:features:)`` floats.
    public static func gradient(
        _ pool: ThreadPool, outputGradient: OperandSlice, into gradient: FloatSlice, adding: Bool, scratch: FloatSlice
    ) {
        let D = gradient.count
        precondition(outputGradient.count % D == 0, "bias: rows of \(D) in \(outputGradient.count) numbers")
        let N = outputGradient.count / D
        precondition(scratch.count >= scratchCount(tokens: N, features: D), "bias gradient: scratch too small")
        switch outputGradient {
        case .fp32(let rows): sumTiles(pool, rows.view, tokens: N, features: D, into: scratch.view)
        case .bf16(let rows): sumTiles(pool, rows.view, tokens: N, features: D, into: scratch.view)
        }
        addTiles(pool, scratch.view, tokens: N, into: gradient.view, adding: adding)
    }

    @inline(__always)
    private static func sumTiles(
        _ pool: ThreadPool, _ rows_ND: some LaneBuffer, tokens N: Int, features D: Int, into partial_tileD: FloatView
    ) {
        pool.runRanges(count: N, grain: tokenTile) { tokens, _ in
            let partial_D = partial_tileD.advanced(by: tokens.lowerBound / tokenTile * D, count: D)
            partial_D.fill(0)
            for n in tokens { mapLanes(partial_D, rows_ND.advanced(by: n * D, count: D), into: partial_D) { $0 + $1 } }
        }
    }
}

/// `sum (+)= sum_tile partial` over the tiles of `N` tokens, in their order.
///
/// - Parameters:
///   - partial_tileD: a sum for each tile, `[tiles, D]`.
///   - sum_D: `[D]`; overwritten unless `adding`.
func addTiles(
    _ pool: ThreadPool, _ partial_tileD: FloatView, tokens N: Int, into sum_D: FloatView, adding: Bool
) {
    let (D, tiles) = (sum_D.count, (N + tokenTile - 1) / tokenTile)
    pool.runRanges(count: D, grain: 256) { columns, _ in
        let sum = sum_D.advanced(by: columns.lowerBound, count: columns.count)
        if !adding { sum.fill(0) }
        for tile in 0..<tiles {
            let partial = partial_tileD.advanced(by: tile * D + columns.lowerBound, count: columns.count)
            mapLanes(sum, partial, into: sum) { $0 + $1 }
        }
    }
}
