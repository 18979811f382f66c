// TokenSampler - the choice of the next token from logits: greedy, temperature, top-k, top-p.

internal import Glibc
internal import Primitives

/// The choice of tokens in `generate`, with a seeded random generator of its own.
public struct TokenSampler: Sendable {
    /// Divisor of the logits; 0: greedy.
    public var temperature: Double
    /// Number of most probable tokens to choose from; 0: all.
    public var topK: Int
    /// Least total probability of the most probable tokens to choose from; 1: all tokens.
    ///
    /// Holtzman et al., arXiv 1904.09751.
    public var topP: Double
    private var random: SplitMix64

    public init(temperature: Double = 1, topK: Int = 0, topP: Double = 1, seed: UInt64 = 0) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        random = SplitMix64(seed: CounterGenerator.key(seed: seed, name: "sampling"))
    }

    /// The next token for `logits`, `[V]`. Ties go to the smaller id.
    public mutating func next(_ logits: [Float]) -> Int32 {
        let order = logits.indices.sorted { (logits[$0], $1) > (logits[$1], $0) }
        guard temperature > 0, topK != 1 else { return Int32(order[0]) }
        let candidates = topK > 0 ? Array(order.prefix(topK)) : Array(order)
        let largest = Double(logits[candidates[0]])
        let weights = candidates.map { exp((Double(logits[$0]) - largest) / temperature) }
        let total = weights.reduce(0, +)
        var kept = 0
        var mass = 0.0
        repeat {
            mass += weights[kept]
            kept += 1
        } while kept < weights.count && mass < topP * total
        var remaining = random.nextUnit() * mass
        for index in 0..<kept {
            remaining -= weights[index]
            if remaining < 0 { return Int32(candidates[index]) }
        }
        return Int32(candidates[kept - 1])
    }
}
