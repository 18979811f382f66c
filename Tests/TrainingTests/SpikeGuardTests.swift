// SpikeGuardTests - what counts as a spike, and that the history is that of the steps before.

import Testing

@testable import Training

struct SpikeGuardTests {
    /// Mean 2, sample deviation 1: half of the losses 1, half 3, corrected by n / (n - 1).
    private func history(_ count: Int, zScore: Double) -> SpikeGuard {
        var guarded = SpikeGuard(zScore: zScore)
        for index in 0..<count { guarded.record(index % 2 == 0 ? 1 : 3) }
        return guarded
    }

    @Test func scoresInSampleDeviations() throws {
        let guarded = history(100, zScore: 4)
        let deviation = (100.0 / 99).squareRoot()
        let score = try #require(guarded.score(5))
        #expect(abs(score - 3 / deviation) < 1e-12)
        #expect(!guarded.isSpike(2 + 3.99 * deviation) && guarded.isSpike(2 + 4.01 * deviation))
        // Low losses are no trouble, and what is not finite is somebody else's.
        #expect(!guarded.isSpike(-100) && !guarded.isSpike(.nan) && !guarded.isSpike(.infinity))
    }

    @Test func judgesOnlyWithEnoughHistory() {
        #expect(!history(SpikeGuard.least - 1, zScore: 4).isSpike(1000))
        #expect(history(SpikeGuard.least, zScore: 4).isSpike(1000))
        var flat = SpikeGuard(zScore: 4)
        for _ in 0..<100 { flat.record(2) }
        #expect(!flat.isSpike(1000))
    }

    @Test func offRemembersNothing() {
        let guarded = history(100, zScore: 0)
        #expect(guarded.losses.isEmpty && !guarded.isSpike(1000))
    }

    @Test func forgetsTheOldest() {
        var guarded = SpikeGuard(zScore: 4)
        for index in 0..<(SpikeGuard.window + 5) { guarded.record(Double(index)) }
        #expect(guarded.losses == (5..<(SpikeGuard.window + 5)).map(Double.init))
        #expect(SpikeGuard(zScore: 4, losses: guarded.losses) == guarded)
    }
}
