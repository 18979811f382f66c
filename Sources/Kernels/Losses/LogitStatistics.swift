// LogitStatistics - cross-entropy, entropy and probabilities of one row of logits.

internal import Glibc
internal import Tensors

/// The numbers that the loss takes from one token's logits.
struct LogitStatistics {
    /// -ln p_y, nats; 0 for an ignored target.
    var crossEntropy: Double
    /// Entropy of the prediction, nats.
    var entropy: Double
    /// Probability of the most likely token.
    var largestProbability: Float
    /// Factor that turns the numbers in the row into probabilities.
    var probabilityScale: Float
}

/// Replaces a row of logits z `[V]` by unscaled probabilities, and returns its statistics.
///
/// With `d = z - max z`, `s = sum e^d` and `t = sum d e^d`: `CE = ln s - d_y` and `H = ln s - t / s`. The entropy costs
/// one multiply-add per logit. The largest probability is `1 / s`.
///
/// - Parameters:
///   - target: index of the target y; below 0: ignored.
///   - largest: `max z`.
@inline(__always)
func reduceLogits(_ row: FloatView, target: Int, largest: Float) -> LogitStatistics {
    let targetDistance = target >= 0 ? Double(row[target]) - Double(largest) : 0
    let shift = Lanes(repeating: largest)
    var total = Lanes(repeating: 0)
    var moment = Lanes(repeating: 0)
    forEachLanes(row.count) {
        // The exponential of the padding's distance is exactly 0.
        let distance = row.lanes(at: $0, padding: largest - 1e4) - shift
        let value = exponential(distance)
        total += value
        moment = moment.addingProduct(value, distance)
        row.store(value, at: $0)
    }
    let s = Double(horizontalSum(total))
    let logarithm = log(s)
    return LogitStatistics(
        crossEntropy: target >= 0 ? logarithm - targetDistance : 0,
        entropy: logarithm - Double(horizontalSum(moment)) / s, largestProbability: Float(1 / s),
        probabilityScale: Float(1 / s))
}

/// Replaces a row of logits z `[V]` by probabilities, and returns its statistics with clamped probabilities inside H.
///
/// H clamps probabilities to `[floor, 1]` without renormalising. Why: the authors' published code does so.
func reduceLogits(_ row: FloatView, target: Int, largest: Float, floor: Float) -> LogitStatistics {
    let targetDistance = target >= 0 ? Double(row[target]) - Double(largest) : 0
    let shift = Lanes(repeating: largest)
    let total = sumLanes(row, padding: largest - 1e4) { exponential($0 - shift) }
    let logarithm = log(Double(total))
    let logSum = Lanes(repeating: Float(Double(largest) + logarithm))
    let (floors, logFloors) = (Lanes(repeating: floor), Lanes(repeating: logf(floor)))
    var entropy = Lanes(repeating: 0)
    forEachLanes(row.count) { index in
        let logProbability = row.lanes(at: index, padding: largest) - logSum
        let probability = exponential(logProbability)
        let isBelow = probability .< floors
        var term =
            probability.replacing(with: floors, where: isBelow)
            * logProbability.replacing(with: logFloors, where: isBelow)
        if index.isPartial { for lane in (row.count - index.start)..<laneCount { term[lane] = 0 } }
        row.store(probability, at: index)
        entropy -= term
    }
    return LogitStatistics(
        crossEntropy: target >= 0 ? logarithm - targetDistance : 0, entropy: Double(horizontalSum(entropy)),
        largestProbability: Float(1 / Double(total)), probabilityScale: 1)
}
