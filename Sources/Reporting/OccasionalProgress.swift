// OccasionalProgress - a live line for work that may be long: often on a terminal, now and then in a log.

/// Shows the finished share of some work, from time to time.
package struct OccasionalProgress {
    private let console: Console
    private var lastShown = ContinuousClock.now

    package init(_ console: Console) { self.console = console }

    /// - Parameter text: the name of the work.
    package mutating func show(_ text: String, share: Double) {
        guard lastShown.secondsAgo > (console.isTerminal ? 0.2 : 10) else { return }
        lastShown = .now
        console.progress("\(text): \(Int(100 * share)) %")
    }
}
