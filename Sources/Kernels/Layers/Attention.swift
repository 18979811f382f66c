// Attention - causal grouped-query attention over whole sequences, in blocks of queries.
//
// Legend: B sequences, T positions, H query heads, K key/value heads (H / K query heads share one), Dh features per head.
// qkv rows hold [q: H * Dh | k: K * Dh | v: K * Dh] of one token. lse_BHT = logsumexp of a query's scaled scores.

internal import Glibc
internal import LinearAlgebra
public import Tensors

/// Sizes of one attention layer, and its two passes.
public struct Attention: Sendable {
    public let heads: Int
    public let keyValueHeads: Int
    public let headSize: Int
    /// T.
    public let positions: Int

    /// Queries per block: a block's scores stay in the second-level cache, and the masked half beyond it is skipped.
    private static let queryBlock = 64

    public init(heads: Int, keyValueHeads: Int, headSize: Int, positions: Int) {
        precondition(
            heads > 0 && keyValueHeads > 0 && heads % keyValueHeads == 0 && headSize > 0 && positions > 0,
            "attention: \(heads) heads cannot share \(keyValueHeads) key/value heads")
        self.heads = heads
        self.keyValueHeads = keyValueHeads
        self.headSize = headSize
        self.positions = positions
    }

    /// Floats of one token's q, k and v.
    public var qkvStride: Int { (heads + 2 * keyValueHeads) * headSize }
    /// Floats of one token's output.
    public var outputStride: Int { heads * headSize }

    /// Floats of scratch that the passes need for `threads` threads.
    public func scratchCount(threads: Int) -> Int { threads * 2 * Self.queryBlock * positions }

    /// `out = softmax(q k^T / sqrt(Dh), causal) v` for each head.
    ///
    /// - Parameters:
    ///   - qkv: `[B * T, (H + 2K) * Dh]`, rotary already applied.
    ///   - output: `[B * T, H * Dh]`.
    ///   - lse: receives the log-sum-exp of the scaled scores, `[B, H, T]`, for the backward pass.
    ///   - scratch: ``scratchCount(threads:)`` floats.
    public func forward(
        _ pool: ThreadPool, sequences B: Int, qkv: FloatSlice, into output: FloatSlice, lse: FloatSlice,
        scratch: FloatSlice
    ) {
        check(pool, B, qkv, output, lse, scratch)
        let T = positions
        let (qkvView, outputView, lse_BHT, scratchView) = (qkv.view, output.view, lse.view, scratch.view)
        let blocks = (T + Self.queryBlock - 1) / Self.queryBlock
        let scale = 1 / Float(headSize).squareRoot()
        pool.run(B * heads * blocks) { task, worker in
            let sequence = task / (heads * blocks)
            let head = task / blocks % heads
            // Late blocks are the long ones: handed out first, so that the last thread to finish is not one of them.
            let queries = queryRange(block: blocks - 1 - task % blocks)
            let q = queryMatrix(qkvView, sequence, head).block(rows: queries)
            let keyCount = queries.upperBound
            let k = keyMatrix(qkvView, sequence, head / groupSize).block(rows: 0..<keyCount)
            let v = valueMatrix(qkvView, sequence, head / groupSize).block(rows: 0..<keyCount)
            let scores = scoreMatrix(scratchView, worker, slot: 0, rows: queries.count, columns: keyCount)
            multiply(q, .asStored, k, .transposed, into: scores, scale: scale, library: pool.library)
            for (row, query) in queries.enumerated() {
                let scoreRow = scores.view.advanced(by: row * keyCount, count: keyCount)
                lse_BHT[(sequence * heads + head) * T + query] = softmax(scoreRow, visible: query + 1)
            }
            multiply(
                scores, .asStored, v, .asStored,
                into: outputMatrix(outputView, sequence, head).block(rows: queries), library: pool.library)
        }
    }

    /// Gradients of q, k and v.
    ///
    /// Probabilities are recomputed from q, k and `lse`. With `delta = sum(dout * out)` per query:
    /// `dS = P * (dout v^T - delta) / sqrt(Dh)`, `dq = dS k`, `dk = dS^T q`, `dv = P^T dout`. One task owns one key/value
    /// head of one sequence and adds its queries, heads in order, so that the sums have one order.
    ///
    /// - Parameters:
    ///   - dqkv: `[B * T, (H + 2K) * Dh]`; overwritten.
    public func backward(
        _ pool: ThreadPool, sequences B: Int, qkv: FloatSlice, output: FloatSlice, lse: FloatSlice,
        doutput: FloatSlice, dqkv: FloatSlice, scratch: FloatSlice
    ) {
        check(pool, B, qkv, output, lse, scratch)
        precondition(doutput.count == output.count && dqkv.count == qkv.count, "attention backward: sizes differ")
        let T = positions
        let blocks = (T + Self.queryBlock - 1) / Self.queryBlock
        let scale = 1 / Float(headSize).squareRoot()
        let (qkvView, outputView, lse_BHT, scratchView) = (qkv.view, output.view, lse.view, scratch.view)
        let (doutputView, dqkvView) = (doutput.view, dqkv.view)
        let library = pool.library
        pool.run(B * keyValueHeads) { task, worker in
            let sequence = task / keyValueHeads
            let group = task % keyValueHeads
            let dk = keyMatrix(dqkvView, sequence, group)
            let dv = valueMatrix(dqkvView, sequence, group)
            for row in 0..<T {
                rowView(dk, row).fill(0)
                rowView(dv, row).fill(0)
            }
            for head in (group * groupSize)..<((group + 1) * groupSize) {
                let out = outputMatrix(outputView, sequence, head)
                let dout = outputMatrix(doutputView, sequence, head)
                for block in 0..<blocks {
                    let queries = queryRange(block: block)
                    let keyCount = queries.upperBound
                    let q = queryMatrix(qkvView, sequence, head).block(rows: queries)
                    let k = keyMatrix(qkvView, sequence, group).block(rows: 0..<keyCount)
                    let v = valueMatrix(qkvView, sequence, group).block(rows: 0..<keyCount)
                    let p = scoreMatrix(scratchView, worker, slot: 0, rows: queries.count, columns: keyCount)
                    let ds = scoreMatrix(scratchView, worker, slot: 1, rows: queries.count, columns: keyCount)
                    multiply(q, .asStored, k, .transposed, into: p, scale: scale, library: library)
                    multiply(dout.block(rows: queries), .asStored, v, .transposed, into: ds, library: library)
                    for (row, query) in queries.enumerated() {
                        let delta = sumLanes(rowView(dout, query), rowView(out, query)) { $0 * $1 }
                        scoreGradient(
                            p: p.view.advanced(by: row * keyCount, count: keyCount),
                            ds: ds.view.advanced(by: row * keyCount, count: keyCount), visible: query + 1,
                            lse: lse_BHT[(sequence * heads + head) * T + query], delta: delta, scale: scale)
                    }
                    multiply(
                        ds, .asStored, k, .asStored, into: queryMatrix(dqkvView, sequence, head).block(rows: queries),
                        library: library)
                    multiply(
                        ds, .transposed, q, .asStored, into: dk.block(rows: 0..<keyCount), adding: true,
                        library: library)
                    multiply(
                        p, .transposed, dout.block(rows: queries), .asStored, into: dv.block(rows: 0..<keyCount),
                        adding: true, library: library)
                }
            }
        }
    }

    /// Softmax of the first `visible` scores in place, zeros behind them; returns their log-sum-exp.
    @inline(__always)
    private func softmax(_ row: FloatView, visible: Int) -> Float {
        let seen = mask(row, visible: visible)
        let largest = maximum(seen)
        let shift = Lanes(repeating: largest)
        mapLanes(seen, into: seen) { exponential($0 - shift) }
        let total = sumLanes(seen) { $0 }
        let inverse = Lanes(repeating: 1 / total)
        mapLanes(seen, into: seen) { $0 * inverse }
        row.advanced(by: seen.count, count: row.count - seen.count).fill(0)
        return largest + logf(total)
    }

    /// Turns scores into probabilities `p`, and `ds` from `dout v^T` into the gradient of the unscaled scores.
    @inline(__always)
    private func scoreGradient(p: FloatView, ds: FloatView, visible: Int, lse: Float, delta: Float, scale: Float) {
        let (shift, deltas, scales) = (Lanes(repeating: lse), Lanes(repeating: delta), Lanes(repeating: scale))
        let pSeen = mask(p, visible: visible)
        let dsSeen = ds.advanced(by: 0, count: pSeen.count)
        mapLanePairs(pSeen, dsSeen, dsSeen, into: pSeen, dsSeen) { score, dp, _ in
            let probability = exponential(score - shift)
            return (probability, probability * (dp - deltas) * scales)
        }
        p.advanced(by: pSeen.count, count: p.count - pSeen.count).fill(0)
        ds.advanced(by: pSeen.count, count: ds.count - pSeen.count).fill(0)
    }

    /// The visible scores and, up to whole lanes, masked ones whose exponential is exactly 0: rows then need no partial
    /// lanes unless the block itself ends in them.
    @inline(__always)
    private func mask(_ row: FloatView, visible: Int) -> FloatView {
        let end = min((visible + laneCount - 1) / laneCount * laneCount, row.count)
        for index in visible..<end { row[index] = -1e30 }
        return row.advanced(by: 0, count: end)
    }

    // MARK: - Where things lie

    private var groupSize: Int { heads / keyValueHeads }

    private func queryRange(block: Int) -> Range<Int> {
        (block * Self.queryBlock)..<min((block + 1) * Self.queryBlock, positions)
    }

    @inline(__always)
    private func rowView(_ matrix: Matrix, _ row: Int) -> FloatView {
        matrix.view.advanced(by: row * matrix.stride, count: matrix.columns)
    }

    private func queryMatrix(_ qkv: FloatView, _ sequence: Int, _ head: Int) -> Matrix {
        window(qkv, sequence, column: head * headSize, stride: qkvStride)
    }

    private func keyMatrix(_ qkv: FloatView, _ sequence: Int, _ group: Int) -> Matrix {
        window(qkv, sequence, column: (heads + group) * headSize, stride: qkvStride)
    }

    private func valueMatrix(_ qkv: FloatView, _ sequence: Int, _ group: Int) -> Matrix {
        window(qkv, sequence, column: (heads + keyValueHeads + group) * headSize, stride: qkvStride)
    }

    private func outputMatrix(_ output: FloatView, _ sequence: Int, _ head: Int) -> Matrix {
        window(output, sequence, column: head * headSize, stride: outputStride)
    }

    private func window(_ view: FloatView, _ sequence: Int, column: Int, stride: Int) -> Matrix {
        let start = sequence * positions * stride + column
        let length = (positions - 1) * stride + headSize
        return Matrix(view.advanced(by: start, count: length), rows: positions, columns: headSize, stride: stride)
    }

    private func scoreMatrix(_ scratch: FloatView, _ worker: Int, slot: Int, rows: Int, columns: Int) -> Matrix {
        let slotCount = Self.queryBlock * positions
        let view = scratch.advanced(by: (2 * worker + slot) * slotCount, count: rows * columns)
        return Matrix(view, rows: rows, columns: columns)
    }

    private func check(
        _ pool: ThreadPool, _ B: Int, _ qkv: FloatSlice, _ output: FloatSlice, _ lse: FloatSlice, _ scratch: FloatSlice
    ) {
        precondition(
            qkv.count == B * positions * qkvStride && output.count == B * positions * outputStride
                && lse.count == B * heads * positions,
            "attention: buffers do not fit \(B) sequences of \(positions)")
        precondition(scratch.count >= scratchCount(threads: pool.threadCount), "attention: scratch too small")
    }
}
