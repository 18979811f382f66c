// Elapsed - seconds since a moment of the monotonic clock.

extension ContinuousClock.Instant {
    /// Seconds since this moment.
    package var secondsAgo: Double { (ContinuousClock.now - self) / Duration.seconds(1) }
}
