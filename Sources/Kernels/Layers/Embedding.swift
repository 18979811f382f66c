// Embedding - token lookup and its scatter-add gradient.
//
// Legend: N tokens, D features, V vocabulary. table_VD, x_ND.

public import Tensors

/// The token embedding: a lookup of rows, and its gradient.
public enum Embedding {
    /// `x[n] = table[tokens[n]]`, x `[N, D]`, table `[V, D]`.
    ///
    /// Traps on a token outside of the table. Why: data is checked when it is loaded.
    public static func forward(
        _ pool: ThreadPool, tokens: [Int32], table: OperandSlice, features D: Int, into x: FloatSlice
    ) {
        let N = tokens.count
        precondition(x.count == N * D && table.count % D == 0, "embedding: \(x.count) floats for \(N) x \(D)")
        switch table {
        case .fp32(let table): forward(pool, tokens, table.view, D, into: x.view)
        case .bf16(let table): forward(pool, tokens, table.view, D, into: x.view)
        }
    }

    @inline(__always)
    private static func forward(
        _ pool: ThreadPool, _ tokens: [Int32], _ table_VD: some LaneBuffer, _ D: Int, into x_ND: FloatView
    ) {
        let vocabulary = table_VD.count / D
        pool.runRanges(count: tokens.count, grain: tokenTile) { range, _ in
            for n in range {
                let token = Int(tokens[n])
                precondition(
                    token >= 0 && token < vocabulary, "token \(token) is outside the vocabulary of \(vocabulary)")
                convertLanes(
                    table_VD.advanced(by: token * D, count: D), into: x_ND.advanced(by: n * D, count: D))
            }
        }
    }

    /// The gradient of the table: `dtable[tokens[n]] += dx[n]`, tokens in order.
    ///
    /// Tasks are fixed ranges of columns. Why: every element is then summed in token order, whatever the number of
    /// threads. Traps on a token outside of the table.
    ///
    /// - Parameters:
    ///   - outputGradient: dx, `[N, D]`.
    ///   - tableGradient: dtable, `[V, D]`; cleared first unless `adding`.
    public static func backward(
        _ pool: ThreadPool, tokens: [Int32], outputGradient: FloatSlice, features D: Int, tableGradient: FloatSlice,
        adding: Bool
    ) {
        let N = tokens.count
        precondition(
            outputGradient.count == N * D && tableGradient.count % D == 0,
            "embedding: \(outputGradient.count) floats for \(N) x \(D)")
        let vocabulary = tableGradient.count / D
        let outOfRange = tokens.first { $0 < 0 || $0 >= vocabulary }
        precondition(outOfRange == nil, "token \(outOfRange ?? 0) is outside the vocabulary of \(vocabulary)")
        let (outputGradient_ND, tableGradient_VD) = (outputGradient.view, tableGradient.view)
        if !adding {
            pool.runRanges(count: tableGradient.count, grain: 1 << 16) { range, _ in
                tableGradient_VD.advanced(by: range.lowerBound, count: range.count).fill(0)
            }
        }
        pool.runRanges(count: D, grain: 4 * laneCount) { columns, _ in
            for n in 0..<N {
                let row = tableGradient_VD.advanced(by: Int(tokens[n]) * D + columns.lowerBound, count: columns.count)
                mapLanes(
                    row, outputGradient_ND.advanced(by: n * D + columns.lowerBound, count: columns.count), into: row
                ) {
                    $0 + $1
                }
            }
        }
    }
}
