// ProgressLine - the line that a person watches: step, loss, speed, time to go.

internal import Foundation

/// Formats the progress of a run.
package struct ProgressLine {
    package let totalSteps: Int
    /// The best possible CE where it is known (synthetic data), nats.
    package let bestPossibleLoss: Double?
    private var secondsPerStep: Double?

    init(totalSteps: Int, bestPossibleLoss: Double?) {
        self.totalSteps = totalSteps
        self.bestPossibleLoss = bestPossibleLoss
    }

    package mutating func text(_ metrics: StepMetrics) -> String {
        // Smoothed, so that the time to go does not jump about.
        let smoothed = secondsPerStep.map { 0.95 * $0 + 0.05 * metrics.stepSeconds } ?? metrics.stepSeconds
        secondsPerStep = smoothed
        var parts = ["step \(metrics.step)/\(totalSteps)"]
        if metrics.isWithoutTargets {
            parts.append("no update: no target counts")
        } else if metrics.isSkipped {
            parts.append("skipped: not finite")
        } else {
            parts.append(String(format: "loss %.4f", metrics.loss))
            parts.append(String(format: "ce %.4f", metrics.crossEntropy))
        }
        if let bestPossibleLoss { parts.append(String(format: "floor %.4f", bestPossibleLoss)) }
        parts.append(String(format: "lr %.2e", metrics.learningRate))
        parts.append(String(format: "%.0f tokens/s", metrics.tokensPerSecond))
        parts.append("ETA " + Self.duration(smoothed * Double(totalSteps - metrics.step)))
        return parts.joined(separator: "  ")
    }

    /// `45s`, `3m05s`, `2h07m`, `4d02h`.
    package static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e9 else { return "?" }
        let s = Int(seconds.rounded())
        switch s {
        case ..<60: return "\(s)s"
        case ..<3600: return String(format: "%dm%02ds", s / 60, s % 60)
        case ..<86400: return String(format: "%dh%02dm", s / 3600, s / 60 % 60)
        default: return String(format: "%dd%02dh", s / 86400, s / 3600 % 24)
        }
    }
}
