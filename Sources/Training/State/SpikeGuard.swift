// SpikeGuard - steps whose loss stands far above the last ones' (configuration key `training.spike_z_score`).

/// The losses of the last steps that were applied, and the bound of a spike above them. Equal on every rank, because
/// the losses are; its history is part of a checkpoint, so that a resumed run decides as an undisturbed one.
struct SpikeGuard: Sendable, Equatable {
    /// Losses that are remembered, and how many of them a judgement needs.
    static let window = 128
    static let least = 32

    /// Standard deviations above the mean from which on a loss is a spike; 0: never.
    let zScore: Double
    /// Oldest first.
    private(set) var losses: [Double]

    init(zScore: Double, losses: [Double] = []) {
        self.zScore = zScore
        // One that is off does not keep a history that would be stale when it is on again.
        self.losses = zScore > 0 ? Array(losses.suffix(Self.window)) : []
    }

    /// Whether the step of this loss is to be left out.
    func isSpike(_ loss: Double) -> Bool {
        guard let score = score(loss) else { return false }
        return score > zScore
    }

    /// Sample standard deviations above the mean; nil where there is no judgement.
    func score(_ loss: Double) -> Double? {
        guard zScore > 0, loss.isFinite, losses.count >= Self.least else { return nil }
        let mean = losses.reduce(0, +) / Double(losses.count)
        let variance = losses.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(losses.count - 1)
        // Without any variance no distance from the mean is unusual.
        return variance > 0 ? (loss - mean) / variance.squareRoot() : nil
    }

    /// Remembers the loss of a step that was applied.
    mutating func record(_ loss: Double) {
        guard zScore > 0 else { return }
        if losses.count == Self.window { losses.removeFirst() }
        losses.append(loss)
    }
}
