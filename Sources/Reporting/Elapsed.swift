// Elapsed - how long ago a moment of the monotonic clock was.

extension ContinuousClock.Instant {
    /// Seconds since then.
    package var secondsAgo: Double { (ContinuousClock.now - self) / Duration.seconds(1) }
}
