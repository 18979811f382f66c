// Attention - causal grouped-query attention over whole sequences or the documents in them, in blocks of queries.
//
// Legend: B sequences, T positions, H query heads, K key/value heads (H / K query heads share one), Dh features per
// head. A row of qkv holds [q: H * Dh | k: K * Dh | v: K * Dh] of one token. lse_BHT is the log-sum-exp of a query's
// scaled scores.

internal import LinearAlgebra
public import Tensors

/// The sizes of an attention layer, and its forward and backward passes.
public struct Attention: Sendable {
    public let heads: Int
    public let keyValueHeads: Int
    public let headSize: Int
    /// T.
    public let positions: Int

    /// Most blocks of a forward task. Why: packing keys and values once per task is then a small part of its work.
    private static let mostBlocksPerTask = 8
    /// Least number of tasks per thread. With fewer, tasks become smaller, down to a block, so that all threads work.
    ///
    /// The number of blocks in a task changes no bit of the result. The progress hook runs between tasks only; tasks of
    /// long sequences take milliseconds.
    private static let fewestTasksPerThread = 4

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
    public func scratchCount(threads: Int) -> Int { threads * AttentionScratch.count(self) }

    /// `out = softmax(q k^T / sqrt(Dh), causal) v` for each head.
    ///
    /// With `documents` a query sees the keys of its document only. Blocks skip the keys of other documents. The work
    /// then grows with the squares of the documents' lengths.
    ///
    /// - Parameters:
    ///   - documents: the documents of the B sequences; nil where each sequence is one.
    ///   - qkv: `[B * T, (H + 2K) * Dh]`, rotary already applied, in the compute dtype of matmuls.
    ///   - output: `[B * T, H * Dh]`.
    ///   - lse: receives the log-sum-exp of the scaled scores, `[B, H, T]`, for the backward pass.
    ///   - scratch: ``scratchCount(threads:)`` floats.
    public func forward(
        _ pool: ThreadPool, sequences B: Int, documents: DocumentMask? = nil, qkv: OperandSlice,
        into output: FloatSlice, lse: FloatSlice, scratch: FloatSlice
    ) {
        check(pool, B, documents, qkv, output, lse, scratch)
        let T = positions
        let wholeSequence = wholeSequence
        let mostBlocks = documents?.mostBlocks ?? wholeSequence.count
        let (outputView, lse_BHT, scratchView) = (output.view, lse.view, scratch.view)
        let blocksPerTask = blocksPerTask(heads: B * heads, blocks: mostBlocks, threads: pool.threadCount)
        let tasks = (mostBlocks + blocksPerTask - 1) / blocksPerTask
        let scale = 1 / Float(headSize).squareRoot()
        pool.run(B * heads * tasks) { task, worker in
            let sequence = task / (heads * tasks)
            let head = task / tasks % heads
            // Late queries see more keys, so their tasks are long and come first. Threads then finish at nearly one
            // time.
            let first = (tasks - 1 - task % tasks) * blocksPerTask
            let blocks = (documents?.blocks[sequence] ?? wholeSequence).dropFirst(first).prefix(blocksPerTask)
            guard let firstBlock = blocks.first, let lastBlock = blocks.last else { return }
            let own = AttentionScratch(self, scratchView, worker: worker)
            let reach = firstBlock.firstKey..<lastBlock.queries.upperBound
            let keys = own.packed(keyMatrix(qkv, sequence, head / groupSize), rows: reach, in: .keys)
            let values = own.packed(valueMatrix(qkv, sequence, head / groupSize), rows: reach, in: .values)
            for block in blocks {
                let q = queryMatrix(qkv, sequence, head).block(rows: block.queries)
                let scores = own.scores(0, rows: block.queries.count, columns: block.keys.count, like: q)
                pool.multiplyPanel(
                    q, .asStored, keys.block(rows: block.keys), .transposed, into: scores.wide, worker: worker)
                for (row, query) in block.queries.enumerated() {
                    lse_BHT[(sequence * heads + head) * T + query] = scores.softmax(
                        row: row, visible: visible(query, block, sequence, documents), scale: scale)
                }
                pool.multiplyPanel(
                    scores.operand, .asStored, values.block(rows: block.keys), .asStored,
                    into: outputMatrix(outputView, sequence, head).block(rows: block.queries), worker: worker)
            }
        }
    }

    /// Gradients of q, k and v.
    ///
    /// The pass recomputes the probabilities P from q, k and `lse`. With `delta = sum(dout * out)` per query:
    /// `dS = P * (dout v^T - delta) / sqrt(Dh)`, `dq = dS k`, `dk = dS^T q`, `dv = P^T dout`.
    ///
    /// One task owns one key/value head of one sequence and adds up its query heads in order. Why: every sum then has
    /// one order, whatever the number of threads.
    ///
    /// - Parameters:
    ///   - documents: those of the forward pass.
    ///   - outputGradient: dout, `[B * T, H * Dh]`.
    ///   - downcast: `outputGradient` in bf16; nil with fp32 matmuls.
    ///   - qkvGradient: dq, dk and dv, `[B * T, (H + 2K) * Dh]`; overwritten.
    public func backward(
        _ pool: ThreadPool, sequences B: Int, documents: DocumentMask? = nil, qkv: OperandSlice, output: FloatSlice,
        lse: FloatSlice, outputGradient: FloatSlice, downcast: BFloat16Slice? = nil, qkvGradient: FloatSlice,
        scratch: FloatSlice
    ) {
        check(pool, B, documents, qkv, output, lse, scratch)
        precondition(
            outputGradient.count == output.count && qkvGradient.count == qkv.count
                && (downcast?.count ?? output.count) == output.count,
            "attention backward: sizes differ")
        let T = positions
        let wholeSequence = wholeSequence
        let scale = 1 / Float(headSize).squareRoot()
        let (outputView, lse_BHT, scratchView) = (output.view, lse.view, scratch.view)
        let (outputGradientView, qkvGradientView) = (outputGradient.view, qkvGradient.view)
        let outputGradientOperand = downcast.map { .bf16($0) } ?? OperandSlice.fp32(outputGradient)
        pool.run(B * keyValueHeads) { task, worker in
            let sequence = task / keyValueHeads
            let group = task % keyValueHeads
            let own = AttentionScratch(self, scratchView, worker: worker)
            let keys = own.packed(keyMatrix(qkv, sequence, group), rows: 0..<T, in: .keys)
            let values = own.packed(valueMatrix(qkv, sequence, group), rows: 0..<T, in: .values)
            let keyGradient = own.zeros(in: .keyGradients)
            let valueGradient = own.zeros(in: .valueGradients)
            for head in (group * groupSize)..<((group + 1) * groupSize) {
                let out = outputMatrix(outputView, sequence, head)
                let outGradient = outputMatrix(outputGradientView, sequence, head)
                for block in documents?.blocks[sequence] ?? wholeSequence {
                    let q = queryMatrix(qkv, sequence, head).block(rows: block.queries)
                    let k = keys.block(rows: block.keys)
                    let v = values.block(rows: block.keys)
                    let outGradientRows = window(
                        outputGradientOperand, sequence, column: head * headSize, stride: outputStride
                    )
                    .block(rows: block.queries)
                    let p = own.scores(0, rows: q.rows, columns: k.rows, like: q)
                    let scoreGradients = own.scores(1, rows: q.rows, columns: k.rows, like: q)
                    pool.multiplyPanel(q, .asStored, k, .transposed, into: p.wide, worker: worker)
                    pool.multiplyPanel(
                        outGradientRows, .asStored, v, .transposed, into: scoreGradients.wide, worker: worker)
                    for (row, query) in block.queries.enumerated() {
                        let delta = sumLanes(rowView(outGradient, query), rowView(out, query)) { $0 * $1 }
                        scoreGradient(
                            p: p, gradient: scoreGradients, row: row,
                            visible: visible(query, block, sequence, documents),
                            lse: lse_BHT[(sequence * heads + head) * T + query], delta: delta, scale: scale)
                    }
                    pool.multiplyPanel(
                        scoreGradients.operand, .asStored, k, .asStored,
                        into: window(qkvGradientView, sequence, column: head * headSize, stride: qkvStride)
                            .block(rows: block.queries), worker: worker)
                    pool.multiplyPanel(
                        scoreGradients.operand, .transposed, q, .asStored, into: keyGradient.block(rows: block.keys),
                        adding: true,
                        worker: worker)
                    pool.multiplyPanel(
                        p.operand, .transposed, outGradientRows, .asStored,
                        into: valueGradient.block(rows: block.keys), adding: true,
                        worker: worker)
                }
            }
            keyGradient.copy(to: window(qkvGradientView, sequence, column: keyColumn(group), stride: qkvStride))
            valueGradient.copy(to: window(qkvGradientView, sequence, column: valueColumn(group), stride: qkvStride))
        }
    }

    // MARK: - Layout of the buffers

    private var groupSize: Int { heads / keyValueHeads }

    private func keyColumn(_ group: Int) -> Int { (heads + group) * headSize }

    private func valueColumn(_ group: Int) -> Int { (heads + keyValueHeads + group) * headSize }

    /// The blocks of a sequence that is one document.
    private var wholeSequence: [QueryBlock] { QueryBlock.blocks(of: [0..<positions]) }

    private func blocksPerTask(heads: Int, blocks: Int, threads: Int) -> Int {
        var count = Self.mostBlocksPerTask
        while count > 1 && heads * ((blocks + count - 1) / count) < Self.fewestTasksPerThread * threads { count /= 2 }
        return count
    }

    /// Floats of the scores of a block of queries.
    var scoreCount: Int { QueryBlock.mostQueries * positions }

    /// The keys that a query sees, counted from the block's first key.
    @inline(__always)
    private func visible(_ query: Int, _ block: QueryBlock, _ sequence: Int, _ documents: DocumentMask?) -> Range<Int> {
        let first = documents?.start(ofDocumentWith: sequence * positions + query) ?? 0
        return (first - block.firstKey)..<(query + 1 - block.firstKey)
    }

    @inline(__always)
    private func rowView(_ matrix: Matrix, _ row: Int) -> FloatView {
        matrix.view.advanced(by: row * matrix.stride, count: matrix.columns)
    }

    private func queryMatrix(_ qkv: OperandSlice, _ sequence: Int, _ head: Int) -> OperandMatrix {
        window(qkv, sequence, column: head * headSize, stride: qkvStride)
    }

    private func keyMatrix(_ qkv: OperandSlice, _ sequence: Int, _ group: Int) -> OperandMatrix {
        window(qkv, sequence, column: keyColumn(group), stride: qkvStride)
    }

    private func valueMatrix(_ qkv: OperandSlice, _ sequence: Int, _ group: Int) -> OperandMatrix {
        window(qkv, sequence, column: valueColumn(group), stride: qkvStride)
    }

    private func outputMatrix(_ output: FloatView, _ sequence: Int, _ head: Int) -> Matrix {
        window(output, sequence, column: head * headSize, stride: outputStride)
    }

    private func window(_ slice: OperandSlice, _ sequence: Int, column: Int, stride: Int) -> OperandMatrix {
        switch slice {
        case .fp32(let slice): return .fp32(window(slice.view, sequence, column: column, stride: stride))
        case .bf16(let slice):
            let (start, length) = extent(sequence, column: column, stride: stride)
            return .bf16(
                BFloat16Matrix(
                    slice.view.advanced(by: start, count: length), rows: positions, columns: headSize, stride: stride))
        }
    }

    private func window(_ view: FloatView, _ sequence: Int, column: Int, stride: Int) -> Matrix {
        let (start, length) = extent(sequence, column: column, stride: stride)
        return Matrix(view.advanced(by: start, count: length), rows: positions, columns: headSize, stride: stride)
    }

    private func extent(_ sequence: Int, column: Int, stride: Int) -> (start: Int, length: Int) {
        (sequence * positions * stride + column, (positions - 1) * stride + headSize)
    }

    private func check(
        _ pool: ThreadPool, _ B: Int, _ documents: DocumentMask?, _ qkv: OperandSlice, _ output: FloatSlice,
        _ lse: FloatSlice, _ scratch: FloatSlice
    ) {
        precondition(
            qkv.count == B * positions * qkvStride && output.count == B * positions * outputStride
                && lse.count == B * heads * positions,
            "attention: buffers do not fit \(B) sequences of \(positions)")
        if let documents {
            precondition(
                documents.sequences == B && documents.positions == positions,
                "attention: documents of \(documents.sequences) sequences of \(documents.positions) for \(B) of "
                    + "\(positions)")
        }
        precondition(scratch.count >= scratchCount(threads: pool.threadCount), "attention: scratch too small")
    }
}
