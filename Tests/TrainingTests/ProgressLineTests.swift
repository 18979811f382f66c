// ProgressLineTests - the line that a person watches.

import Testing

@testable import Training

@Suite struct ProgressLineTests {
    private func row(_ step: Int, seconds: Double = 2, isSkipped: Bool = false) -> StepMetrics {
        StepMetrics(
            step: step, tokens: 100, loss: 3.14159, crossEntropy: 2.71828, entropy: 2, alpha: 0.5, learningRate: 3e-4,
            gradientNorm: 1, stepSeconds: seconds, tokensPerSecond: 12_345.6, isSkipped: isSkipped)
    }

    @Test func aStep() {
        var line = ProgressLine(totalSteps: 100, bestPossibleLoss: nil)
        #expect(
            line.text(row(10)) == "step 10/100  loss 3.1416  ce 2.7183  lr 3.00e-04  12346 tokens/s  ETA 3m00s")
    }

    @Test func theFloorStandsBesideTheLoss() {
        var line = ProgressLine(totalSteps: 100, bestPossibleLoss: 1.23456)
        #expect(
            line.text(row(100))
                == "step 100/100  loss 3.1416  ce 2.7183  floor 1.2346  lr 3.00e-04  12346 tokens/s  ETA 0s")
    }

    @Test func aSkippedStepShowsNoLoss() {
        var line = ProgressLine(totalSteps: 100, bestPossibleLoss: nil)
        #expect(
            line.text(row(10, isSkipped: true))
                == "step 10/100  skipped: not finite  lr 3.00e-04  12346 tokens/s  ETA 3m00s")
    }

    @Test func aStepWithoutTargetsShowsNoLoss() {
        var line = ProgressLine(totalSteps: 100, bestPossibleLoss: nil)
        var row = row(10, isSkipped: true)
        row.isWithoutTargets = true
        #expect(
            line.text(row)
                == "step 10/100  no update: no target counts  lr 3.00e-04  12346 tokens/s  ETA 3m00s")
    }

    @Test func theTimeToGoIsSmoothed() {
        var line = ProgressLine(totalSteps: 101, bestPossibleLoss: nil)
        _ = line.text(row(0, seconds: 1))
        // 0.95 * 1 + 0.05 * 21 = 2 seconds a step, 100 steps.
        #expect(line.text(row(1, seconds: 21)).hasSuffix("ETA 3m20s"))
    }

    @Test(arguments: [
        (0, "0s"), (0.4, "0s"), (45, "45s"), (59.4, "59s"), (59.6, "1m00s"), (185, "3m05s"), (3599, "59m59s"),
        (3600, "1h00m"), (7650, "2h07m"), (86_399, "23h59m"), (86_400, "1d00h"), (353_000, "4d02h"),
        (8_640_000, "100d00h"), (1e10, "?"), (.infinity, "?"), (.nan, "?"),
    ])
    func durations(_ seconds: Double, _ text: String) { #expect(ProgressLine.duration(seconds) == text) }
}
