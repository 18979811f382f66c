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

    /// Schedules that fall over all steps after the warm-up.
    private static let falling = LearningRateSchedule.Kind.allCases.filter { kind in
        switch kind {
        case .cosine, .linear: true
        case .constant, .wsd: false
        }
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
        for kind in Self.falling {
            #expect(factor(kind, 110, ratio: 0.1) > 0.1)
            #expect(abs(factor(kind, 111, ratio: 0.1) - 0.1) < 1e-15)
        }
    }

    // MARK: - Warmup-stable-decay: warm-up 10, stable from step 11, decay over steps 71 ... 110

    private func decayed(
        _ shape: LearningRateSchedule.DecayShape, _ step: Int, decay: Int = 40, warmup: Int = 10, ratio: Double = 0
    ) -> Double {
        LearningRateSchedule(
            kind: .wsd, warmupSteps: warmup, totalSteps: 110, minimumRatio: ratio, decaySteps: decay, decayShape: shape
        ).factor(step: step)
    }

    /// The base is exact until the first step of the decay, which still has it.
    @Test(arguments: LearningRateSchedule.DecayShape.allCases, [0, 0.1])
    func wsdIsStableUntilTheDecay(shape: LearningRateSchedule.DecayShape, ratio: Double) {
        for step in 1...10 { #expect(decayed(shape, step, ratio: ratio) == Double(step) / 10) }
        for step in 11...71 { #expect(decayed(shape, step, ratio: ratio) == 1) }
        #expect(decayed(shape, 72, ratio: ratio) < 1)
    }

    /// Steps 81, 91, 110 and 111 have passed 1/4, 1/2, 39/40 and all of the decay. Two roundings: a tolerance of 1e-15.
    @Test(arguments: [0, 0.1]) func wsdDecaysByTheClosedForms(ratio: Double) {
        let root = 0.5.squareRoot()
        let forms: [(shape: LearningRateSchedule.DecayShape, quarter: Double, half: Double, last: Double)] = [
            (.linear, 0.75, 0.5, 1.0 / 40), (.cosine, (1 + root) / 2, 0.5, (1 + cos(0.975 * Double.pi)) / 2),
            (.sqrt, 0.5, 1 - root, 1 - 0.975.squareRoot()),
        ]
        for form in forms {
            for (step, share) in [(81, form.quarter), (91, form.half), (110, form.last), (111, 0)] {
                let expected = ratio + (1 - ratio) * share
                #expect(abs(decayed(form.shape, step, ratio: ratio) - expected) < 1e-15, "\(form.shape) \(step)")
            }
        }
    }

    /// `transformers.get_wsd_schedule` (4.50) with 10 warm-up, 60 stable and 40 decay steps and `min_lr_ratio` 0.1, index
    /// i = s - 1 of its decay: x = (i - 70) / 40 and f * (1 - 0.1) + 0.1, where f is 1 - x, 0.5 (1 + cos(pi x)) or
    /// 1 - sqrt(x). Values are Python's, for steps 72, 81, 91, 110 and 111; another order of operations: 1e-15.
    @Test func wsdHasTheValuesOfTransformers() {
        let golden: [(LearningRateSchedule.DecayShape, [Double])] = [
            (.linear, [0.9774999999999999, 0.775, 0.55, 0.12250000000000003, 0.1]),
            (.cosine, [0.9986128001799076, 0.8681980515339464, 0.55, 0.10138719982009242, 0.1]),
            (.sqrt, [0.857697505292423, 0.55, 0.36360389693210715, 0.11132120538408258, 0.1]),
        ]
        for (shape, values) in golden {
            for (step, value) in zip([72, 81, 91, 110, 111], values) {
                #expect(abs(decayed(shape, step, ratio: 0.1) - value) < 1e-15, "\(shape) \(step)")
            }
        }
    }

    /// A decay over all steps after the warm-up is the schedule of its shape; without decay steps the rate is constant.
    @Test(arguments: [0, 0.1]) func wsdAtItsLimits(ratio: Double) {
        for step in 11...110 {
            let (linear, cosine) = (factor(.linear, step, ratio: ratio), factor(.cosine, step, ratio: ratio))
            #expect(abs(decayed(.linear, step, decay: 100, ratio: ratio) - linear) < 1e-15, "\(step)")
            #expect(abs(decayed(.cosine, step, decay: 100, ratio: ratio) - cosine) < 1e-15, "\(step)")
            #expect(decayed(.sqrt, step, decay: 0, ratio: ratio) == 1)
        }
        // One step: it still has the base.
        #expect(decayed(.sqrt, 110, decay: 1, ratio: ratio) == 1)
        #expect(decayed(.sqrt, 1, decay: 110, warmup: 0, ratio: ratio) == 1)
    }

    @Test(arguments: LearningRateSchedule.DecayShape.allCases)
    func wsdNeverRises(shape: LearningRateSchedule.DecayShape) {
        let factors = (71...110).map { decayed(shape, $0, ratio: 0.1) }
        for (earlier, later) in zip(factors, factors.dropFirst()) { #expect(later < earlier) }
        #expect(factors.allSatisfy { $0 > 0.1 && $0 <= 1 })
    }

    /// The last factor is one step's worth above the minimum.
    @Test(arguments: falling)
    func decayNeverRises(kind: LearningRateSchedule.Kind) {
        let factors = (11...110).map { factor(kind, $0, ratio: 0.1) }
        for (earlier, later) in zip(factors, factors.dropFirst()) { #expect(later < earlier) }
        #expect(factors.allSatisfy { $0 > 0.1 && $0 <= 1 })
    }
}
