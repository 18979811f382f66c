// Waiting - how a rank spends the time until others have done their part.

internal import Glibc

/// The pauses between two polls of one wait.
///
/// A short wait spins, because the answer of a rank on the same node takes about a microsecond. A longer one gives up
/// the core after each poll, and a long one sleeps, so that ranks which share cores do not take them from the rank
/// that they are all waiting for.
struct Waiting {
    /// Unsuccessful polls before the core is offered to others (some 50 us).
    private static let spinningPolls = 300
    /// Unsuccessful polls before sleeping (some 10 ms): messages move only while somebody polls, so sleeping earlier
    /// would slow down a large reduction.
    private static let yieldingPolls = 20_000
    /// Polls from one look at the clock to the next.
    private static let pollsPerCheck = 64
    /// Length of a sleep. The kernel adds about as much again.
    private static let sleepNanoseconds = 50_000

    private let deadlineSeconds: Double?
    private let start: Double
    private var polls = 0
    /// Polls since something last moved.
    private var idlePolls = 0
    /// When a look at the clock first found that nothing had moved since the last move.
    private var stillSince: Double?

    init(deadlineSeconds: Double?) {
        self.deadlineSeconds = deadlineSeconds
        start = Self.now()
    }

    /// What the caller has to do after a pause.
    enum Check {
        /// Poll again.
        case none
        /// Call the idle closure, poll the watchdog, then poll the operation again.
        case idle
        /// Give up.
        case expired
    }

    /// Notes that the last poll moved something, though not to the end: the next move is probably near.
    mutating func restart() {
        idlePolls = 0
        stillSince = nil
    }

    /// Notes that one of the things waited for is complete.
    mutating func advance() { stillSince = nil }

    /// Since when nothing has moved, and the time now. Without a move between them two calls agree about the first, and
    /// no two stretches share it. It is late by at most the polls between two looks at the clock, so that a move costs
    /// no look.
    mutating func stillness() -> (since: Double, now: Double) {
        let now = Self.now()
        let since = stillSince ?? now
        stillSince = since
        return (since, now)
    }

    /// Pauses after an unsuccessful poll.
    mutating func pause() -> Check {
        polls += 1
        idlePolls += 1
        if idlePolls > Self.yieldingPolls {
            var time = timespec(tv_sec: 0, tv_nsec: Self.sleepNanoseconds)
            // No signal cuts it short: threads that call MPI block them. The idle closure runs soon enough.
            _ = unsafe nanosleep(&time, nil)
        } else if idlePolls > Self.spinningPolls {
            sched_yield()
        }
        guard polls % Self.pollsPerCheck == 0 else { return .none }
        if let deadlineSeconds, Self.now() - start > deadlineSeconds { return .expired }
        return .idle
    }

    /// Seconds of the monotonic clock, which no change of the date disturbs.
    private static func now() -> Double {
        var time = timespec()
        let status = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        precondition(status == 0, "the kernel has no monotonic clock")
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
