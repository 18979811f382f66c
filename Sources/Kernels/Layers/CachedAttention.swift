// CachedAttention - attention of new tokens over the keys and values of earlier ones, for generation.
//
// Legend: n new tokens at positions start ..< start + n, H query heads, K key/value heads, Dh features per head, T
// cache positions. keys_TKDh and values_TKDh hold one row of K * Dh features per position.

public import Tensors

extension Attention {
    /// Appends keys and values of the new tokens to the cache, and attends over all positions up to each token.
    ///
    /// Traps when the tokens or the buffers do not fit the cache.
    ///
    /// - Parameters:
    ///   - qkv: `[n, (H + 2K) * Dh]` of the new tokens, rotary already applied.
    ///   - start: position of the first new token; `start + n` may not exceed ``positions``.
    ///   - keys: cache, `[T, K * Dh]`.
    ///   - values: cache, `[T, K * Dh]`.
    ///   - output: `[n, H * Dh]`.
    ///   - scratch: `H * T` floats.
    public func forwardCached(
        _ pool: ThreadPool, qkv: FloatSlice, start: Int, keys: FloatSlice, values: FloatSlice, into output: FloatSlice,
        scratch: FloatSlice
    ) {
        let n = qkv.count / qkvStride
        let rowCount = keyValueHeads * headSize
        precondition(
            qkv.count == n * qkvStride && output.count == n * outputStride && keys.count == positions * rowCount
                && values.count == keys.count && scratch.count >= heads * positions && start >= 0
                && start + n <= positions,
            "cached attention: \(n) tokens at position \(start) do not fit a cache of \(positions)")
        let (qkvView, outputView, keyView, valueView) = (qkv.view, output.view, keys.view, values.view)
        let scratchView = scratch.view
        for token in 0..<n {
            let row = token * qkvStride + heads * headSize
            let slot = (start + token) * rowCount
            keyView.advanced(by: slot, count: rowCount).copy(from: qkvView.advanced(by: row, count: rowCount))
            valueView.advanced(by: slot, count: rowCount)
                .copy(from: qkvView.advanced(by: row + rowCount, count: rowCount))
        }
        let scale = 1 / Float(headSize).squareRoot()
        pool.run(heads) { head, _ in
            let column = head / (heads / keyValueHeads) * headSize
            for token in 0..<n {
                let visible = start + token + 1
                let query = qkvView.advanced(by: token * qkvStride + head * headSize, count: headSize)
                let scores = scratchView.advanced(by: head * positions, count: visible)
                for t in 0..<visible {
                    let key = keyView.advanced(by: t * rowCount + column, count: headSize)
                    scores[t] = sumLanes(query, key) { $0 * $1 } * scale
                }
                let shift = Lanes(repeating: maximum(scores))
                mapLanes(scores, into: scores) { exponential($0 - shift) }
                let inverse = 1 / sumLanes(scores) { $0 }
                let target = outputView.advanced(by: token * outputStride + head * headSize, count: headSize)
                target.fill(0)
                for t in 0..<visible {
                    let weight = Lanes(repeating: scores[t] * inverse)
                    let value = valueView.advanced(by: t * rowCount + column, count: headSize)
                    mapLanes(target, value, into: target) { $0.addingProduct($1, weight) }
                }
            }
        }
    }
}
