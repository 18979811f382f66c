// LearningRateScheduleTests - the closed forms of design section 4 at their boundaries.

import Foundation
import Optimization
import Testing

struct LearningRateScheduleTests {
    private func factor(
        _ kind: LearningRateSchedule.Kind, _ step: Int, warmup: Int = 10, total: Int = 110, ratio: Double = 0
    ) -> Double {
        LearningRateSchedule(kind: kind, warmupSteps: warmup, totalSteps: total, minimumRatio: ratio).factor(step: step)
    }

    @Test(arguments: LearningRateSchedule.Kind.allCases, [0, 0.1])
    func warmUpIsLinearAndEndsAtTheBase(kind: LearningRateSchedule.Kind, ratio: Double) {
        for step in 1...10 { #expect(factor(kind, step, ratio: ratio) == Double(step) / 10) }
        // The decay starts from the base, too: t = 0 at warmup + 1.
        #expect(factor(kind, 11, ratio: ratio) == 1)
    }

    @Test(arguments: [0, 0.1])
    func cosine(ratio: Double) {
        // t = 1/4, 1/2, 99/100.
        let quarter = (1 + 0.5.squareRoot()) / 2
        #expect(abs(factor(.cosine, 36, ratio: ratio) - (ratio + (1 - ratio) * quarter)) < 1e-15)
        #expect(abs(factor(.cosine, 61, ratio: ratio) - (ratio + (1 - ratio) / 2)) < 1e-15)
        let last = (1 + cos(0.99 * Double.pi)) / 2
        #expect(abs(factor(.cosine, 110, ratio: ratio) - (ratio + (1 - ratio) * last)) < 1e-15)
    }

    @Test(arguments: [0, 0.1])
    func linear(ratio: Double) {
        #expect(abs(factor(.linear, 36, ratio: ratio) - (1 - (1 - ratio) / 4)) < 1e-15)
        #expect(abs(factor(.linear, 110, ratio: ratio) - (1 - (1 - ratio) * 0.99)) < 1e-15)
    }

    @Test func constant() {
        for step in [11, 36, 110] { #expect(factor(.constant, step, ratio: 0.1) == 1) }
    }

    @Test(arguments: LearningRateSchedule.Kind.allCases)
    func withoutWarmUpTheFirstStepHasTheBase(kind: LearningRateSchedule.Kind) {
        #expect(factor(kind, 1, warmup: 0) == 1)
        #expect(factor(kind, 1, warmup: 0, total: 1) == 1)
    }

    @Test(arguments: LearningRateSchedule.Kind.allCases)
    func warmUpOnly(kind: LearningRateSchedule.Kind) {
        for step in 1...10 { #expect(factor(kind, step, warmup: 10, total: 10) == Double(step) / 10) }
    }

    /// `transformers.get_cosine_schedule_with_warmup`: index i = s - 1 has 0.5 (1 + cos(pi (i - warmup) / (total - warmup)));
    /// `CosineAnnealingLR` with T_max 100 has its minimum at index 100. So the minimum belongs to the step after the last.
    @Test func stepsAreTheIndicesOfOtherSchedulersPlusOne() {
        for step in [11, 12, 50, 110] {
            let other = 0.5 * (1 + cos(Double.pi * Double(step - 1 - 10) / 100))
            #expect(abs(factor(.cosine, step) - other) < 1e-15)
        }
        for kind in [LearningRateSchedule.Kind.cosine, .linear] {
            #expect(factor(kind, 110, ratio: 0.1) > 0.1)
            #expect(abs(factor(kind, 111, ratio: 0.1) - 0.1) < 1e-15)
        }
    }

    /// The last factor is one step's worth above the minimum.
    @Test(arguments: [LearningRateSchedule.Kind.cosine, .linear])
    func decayNeverRises(kind: LearningRateSchedule.Kind) {
        let factors = (11...110).map { factor(kind, $0, ratio: 0.1) }
        for (earlier, later) in zip(factors, factors.dropFirst()) { #expect(later < earlier) }
        #expect(factors.allSatisfy { $0 > 0.1 && $0 <= 1 })
    }
}
