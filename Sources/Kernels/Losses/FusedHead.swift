// FusedHead - output projection, weighted loss and their gradients in chunks of tokens, never over all logits [N, V].
//
// Legend: N tokens, C tokens of a chunk, D features, V vocabulary. hidden_ND, weight_VD, logits_CV.

internal import LinearAlgebra
public import Tensors

/// Per-token results of a head pass, `[N]` each.
public struct TokenLosses: Sendable {
    /// CE of each target in nats; 0 where ignored.
    public let crossEntropy: FloatSlice
    /// H of each prediction in nats.
    public let entropy: FloatSlice
    /// The weight w of each target; for an ignored target the weight of its prediction (`normalization: reference`).
    public let weight: FloatSlice
    /// Probability of the most likely token. Only a pass without gradients writes it.
    public let confidence: FloatSlice
    /// 1 where the target is the most likely token, otherwise 0. Among equally likely tokens the lowest id is meant.
    ///
    /// It is 0 for an ignored target. Only a pass without gradients writes it.
    public let isCorrect: FloatSlice

    /// Allocates results for `count` tokens.
    public init(count: Int) {
        let all = Arena(count: 5 * count).all
        let parts = (0..<5).map { all[($0 * count)..<(($0 + 1) * count)] }
        self.init(parts)
    }

    private init(_ parts: [FloatSlice]) {
        crossEntropy = parts[0]
        entropy = parts[1]
        weight = parts[2]
        confidence = parts[3]
        isCorrect = parts[4]
    }

    /// The first `count` tokens.
    public func prefix(_ count: Int) -> TokenLosses {
        TokenLosses([crossEntropy, entropy, weight, confidence, isCorrect].map { $0[0..<count] })
    }

    /// The sums over all tokens, in token order and double precision.
    public func sums(targets: [Int32]) -> LossSums {
        precondition(targets.count == crossEntropy.count, "\(targets.count) targets for \(crossEntropy.count) losses")
        var sums = LossSums()
        for (n, target) in targets.enumerated() {
            let weight = Double(self.weight.view[n])
            sums.positions += 1
            sums.weightOfAllPositions += weight
            guard target >= 0 else { continue }
            sums.weightedCrossEntropy += weight * Double(crossEntropy.view[n])
            sums.weight += weight
            sums.crossEntropy += Double(crossEntropy.view[n])
            sums.entropy += Double(entropy.view[n])
            sums.targets += 1
        }
        return sums
    }
}

/// The language-model head of one model size.
public struct FusedHead: Sendable {
    public let features: Int
    public let vocabulary: Int
    /// Tokens per chunk. It depends on the sizes only. Why: chunks cut the sum over tokens in the weight gradient.
    public let chunkTokens: Int

    /// Most logits of a chunk: 64 MiB. Why: that is small beside activations, and large enough for efficient matmuls.
    private static let chunkLogits = 16 << 20
    private static let rowGrain = 8

    public init(features: Int, vocabulary: Int) {
        precondition(features > 0 && vocabulary > 0, "a head needs sizes above 0")
        self.features = features
        self.vocabulary = vocabulary
        let fitting = Self.chunkLogits / vocabulary / tokenTile * tokenTile
        chunkTokens = min(max(fitting, tokenTile), 1024)
    }

    /// Number of scratch floats for a pass over `tokens` tokens.
    public func scratchCount(tokens: Int) -> Int { min(tokens, chunkTokens) * vocabulary }

    /// The per-token losses, and the gradients of the unnormalised loss `sum_n w_n CE_n` with w held fixed.
    ///
    /// `dlogits_n = w_n (p_n - onehot(y_n))` (0 for ignored targets), `dhidden = dlogits W`, `dW = dlogits^T hidden`.
    ///
    /// - Parameters:
    ///   - hidden: `[N, D]`, after the final norm, in the compute dtype of matmuls.
    ///   - weight: `[V, D]`, in the dtype of `hidden`.
    ///   - targets: `[N]`; the loss ignores a target below 0.
    ///   - weighting: gives w.
    ///   - hiddenGradient: dhidden, `[N, D]`; overwritten; may not be `hidden`.
    ///   - weightGradient: dW, `[V, D]`; overwritten unless `adding`.
    ///   - losses: receives the per-token results.
    ///   - scratch: ``scratchCount(tokens:)`` floats.
    public func lossAndGradient(
        _ pool: ThreadPool, hidden: OperandSlice, weight: OperandSlice, targets: [Int32], weighting: TokenWeighting,
        hiddenGradient: FloatSlice, weightGradient: FloatSlice, adding: Bool, losses: TokenLosses, scratch: FloatSlice
    ) {
        precondition(
            hiddenGradient.count == hidden.count && weightGradient.count == weight.count, "head: gradient sizes differ")
        // The first chunk overwrites the gradient. Without a chunk the gradient is an empty sum.
        if targets.isEmpty && !adding { pool.clear(weightGradient) }
        precondition(weight.count == vocabulary * features, "head: weight is not \(vocabulary) x \(features)")
        let weight_VD = OperandMatrix(weight, rows: vocabulary, columns: features)
        let weightGradient_VD = Matrix(weightGradient, rows: vocabulary, columns: features)
        forEachChunk(pool, hidden, weight_VD, targets, scratch) { tokens, hidden_CD, logits_CV in
            let logitGradient_CV = turnIntoGradient(pool, logits_CV, tokens, targets, weighting, losses, format: hidden)
            let range = (tokens.lowerBound * features)..<(tokens.upperBound * features)
            pool.multiply(
                logitGradient_CV, .asStored, weight_VD, .asStored,
                into: Matrix(hiddenGradient[range], rows: tokens.count, columns: features))
            pool.multiply(
                logitGradient_CV, .transposed, hidden_CD, .asStored, into: weightGradient_VD,
                adding: adding || tokens.lowerBound > 0)
        }
    }

    /// Replaces a chunk's logits by their gradient, in place and in the dtype of `hidden`, and records the losses.
    ///
    /// In bf16 a row's gradient takes the first half of the row's memory, so writing never overtakes reading.
    private func turnIntoGradient(
        _ pool: ThreadPool, _ logits_CV: Matrix, _ tokens: Range<Int>, _ targets: [Int32], _ weighting: TokenWeighting,
        _ losses: TokenLosses, format hidden: OperandSlice
    ) -> OperandMatrix {
        let V = vocabulary
        let halves = BFloat16View(over: logits_CV.view)
        pool.runRanges(count: tokens.count, grain: Self.rowGrain) { rows, _ in
            for row in rows {
                let n = tokens.lowerBound + row
                let logits = logits_CV.view.advanced(by: row * V, count: V)
                let target = checked(targets[n])
                let statistics = reduce(logits, target: target, largest: maximum(logits), weighting: weighting)
                let weight = record(statistics, at: n, weighting: weighting, in: losses)
                let scale = target >= 0 ? weight * statistics.probabilityScale : 0
                let lanes = Lanes(repeating: scale)
                let atTarget = target >= 0 ? logits[target] * scale - weight : 0
                switch hidden {
                case .fp32:
                    mapLanes(logits, into: logits) { $0 * lanes }
                    if target >= 0 { logits[target] = atTarget }
                case .bf16:
                    let logitGradient = halves.advanced(by: 2 * row * V, count: V)
                    mapLanes(logits, into: logitGradient) { $0 * lanes }
                    if target >= 0 { logitGradient[target] = atTarget }
                }
            }
        }
        switch hidden {
        case .fp32: return .fp32(logits_CV)
        case .bf16: return .bf16(BFloat16Matrix(halves, rows: tokens.count, columns: V, stride: 2 * V))
        }
    }

    /// The per-token losses without gradients, and confidence and correctness of each prediction. For evaluation.
    ///
    /// - Parameters:
    ///   - hidden: `[N, D]`, after the final norm, in the compute dtype of matmuls.
    ///   - weight: `[V, D]`, in the dtype of `hidden`.
    ///   - targets: `[N]`; the loss ignores a target below 0.
    ///   - weighting: gives w.
    ///   - losses: receives the per-token results.
    ///   - scratch: ``scratchCount(tokens:)`` floats.
    public func evaluate(
        _ pool: ThreadPool, hidden: OperandSlice, weight: OperandSlice, targets: [Int32], weighting: TokenWeighting,
        losses: TokenLosses, scratch: FloatSlice
    ) {
        precondition(weight.count == vocabulary * features, "head: weight is not \(vocabulary) x \(features)")
        let weight_VD = OperandMatrix(weight, rows: vocabulary, columns: features)
        forEachChunk(pool, hidden, weight_VD, targets, scratch) { tokens, _, logits_CV in
            pool.runRanges(count: tokens.count, grain: Self.rowGrain) { rows, _ in
                for row in rows {
                    let n = tokens.lowerBound + row
                    let logits = logits_CV.view.advanced(by: row * vocabulary, count: vocabulary)
                    let target = checked(targets[n])
                    let largest = maximum(logits)
                    // `reduce` overwrites the row below. Lower ids matter only where the target has the largest logit.
                    let isCorrect =
                        target >= 0 && logits[target] == largest
                        && !hasElement(logits.advanced(by: 0, count: target), equalTo: largest)
                    let statistics = reduce(logits, target: target, largest: largest, weighting: weighting)
                    _ = record(statistics, at: n, weighting: weighting, in: losses)
                    losses.confidence.view[n] = statistics.largestProbability
                    losses.isCorrect.view[n] = isCorrect ? 1 : 0
                }
            }
        }
    }

    private func forEachChunk(
        _ pool: ThreadPool, _ hidden: OperandSlice, _ weight_VD: OperandMatrix, _ targets: [Int32],
        _ scratch: FloatSlice,
        _ body: (_ tokens: Range<Int>, _ hidden_CD: OperandMatrix, _ logits_CV: Matrix) -> Void
    ) {
        let N = targets.count
        precondition(hidden.count == N * features, "head: \(hidden.count) floats for \(N) x \(features)")
        precondition(scratch.count >= scratchCount(tokens: N), "head: scratch too small")
        for start in stride(from: 0, to: N, by: chunkTokens) {
            let tokens = start..<min(start + chunkTokens, N)
            let hidden_CD = OperandMatrix(
                hidden[(tokens.lowerBound * features)..<(tokens.upperBound * features)], rows: tokens.count,
                columns: features)
            let logits_CV = Matrix(scratch, rows: tokens.count, columns: vocabulary)
            pool.multiply(hidden_CD, .asStored, weight_VD, .transposed, into: logits_CV)
            body(tokens, hidden_CD, logits_CV)
        }
    }

    @inline(__always)
    private func checked(_ target: Int32) -> Int {
        precondition(target < vocabulary, "target \(target) is outside the vocabulary of \(vocabulary)")
        return Int(target)
    }

    @inline(__always)
    private func reduce(_ row: FloatView, target: Int, largest: Float, weighting: TokenWeighting) -> LogitStatistics {
        if weighting.probabilityFloor > 0 {
            return reduceLogits(row, target: target, largest: largest, floor: Float(weighting.probabilityFloor))
        }
        return reduceLogits(row, target: target, largest: largest)
    }

    /// Stores a token's results and returns its weight.
    @inline(__always)
    private func record(
        _ statistics: LogitStatistics, at n: Int, weighting: TokenWeighting, in losses: TokenLosses
    ) -> Float {
        let weight = Float(
            weighting.weight(TokenPrediction(entropy: statistics.entropy, crossEntropy: statistics.crossEntropy)))
        losses.crossEntropy.view[n] = Float(statistics.crossEntropy)
        losses.entropy.view[n] = Float(statistics.entropy)
        losses.weight.view[n] = weight
        return weight
    }
}
