// PhaseRecorder - the phases of a training step on its calling thread, and their durations.

/// The parts of a training step. Every moment of a step belongs to exactly one of them.
public enum Phase: Int, Sendable, CaseIterable {
    case data, forward, head, backward, reduction, optimizer, gather, other

    /// The name in metrics, traces and benchmarks.
    public var name: String {
        switch self {
        case .data: "data"
        case .forward: "forward"
        case .head: "head"
        case .backward: "backward"
        case .reduction: "reduction"
        case .optimizer: "optimizer"
        case .gather: "gather"
        case .other: "other"
        }
    }
}

/// One stretch of a phase on the recorder's clock.
public struct PhaseEvent: Equatable, Sendable {
    public let phase: Phase
    /// Part of the phase, such as a layer's index; -1 for none.
    public let detail: Int
    /// Nanoseconds of the recorder's clock at the beginning.
    public let start: UInt64
    /// Nanoseconds.
    public let duration: UInt64

    public init(phase: Phase, detail: Int, start: UInt64, duration: UInt64) {
        self.phase = phase
        self.detail = detail
        self.start = start
        self.duration = duration
    }
}

/// A stopwatch that charges all time between `begin` and `end` to phases, with one clock read per switch.
///
/// `enter` charges the time since the last switch to the phase that it leaves. The phases of a stretch therefore add up
/// to its whole duration.
///
/// It is not `Sendable`: the thread that runs the step owns it. While it is off, a switch reads no clock.
public final class PhaseRecorder {
    private let now: () -> UInt64
    private var isRunning = false
    private var keepsEvents = false
    /// The phase that was entered last, also while nothing is recorded.
    public private(set) var phase = Phase.other
    private(set) var detail = -1
    private var since: UInt64 = 0
    private var totals = [UInt64](repeating: 0, count: Phase.allCases.count)

    /// The events since `begin`, in order and without gaps; empty unless `begin` was asked to keep them.
    public private(set) var events: [PhaseEvent] = []

    /// - Parameter now: a monotonic clock, nanoseconds.
    public init(now: @escaping () -> UInt64 = PhaseRecorder.monotonicNanoseconds) {
        self.now = now
    }

    /// Starts a stretch in `.other`, forgetting the one before.
    public func begin(keepingEvents: Bool = false) {
        for index in totals.indices { totals[index] = 0 }
        events.removeAll(keepingCapacity: true)
        keepsEvents = keepingEvents
        phase = .other
        detail = -1
        since = now()
        isRunning = true
    }

    /// Switches to the phase `next`. It records nothing outside of `begin` and `end`.
    public func enter(_ next: Phase, _ detail: Int = -1) {
        if isRunning { charge() }
        phase = next
        self.detail = detail
    }

    /// Runs `body` in the phase `inner`, and returns to the current phase.
    public func nested<Failure: Error>(_ inner: Phase, _ body: () throws(Failure) -> Void) throws(Failure) {
        let (outer, outerDetail) = (phase, detail)
        enter(inner)
        try body()
        enter(outer, outerDetail)
    }

    /// Ends the stretch; its totals and events stay readable until the next `begin`.
    public func end() {
        guard isRunning else { return }
        charge()
        isRunning = false
    }

    /// Nanoseconds charged to `phase` in the stretch so far, without the part that still runs.
    public func nanoseconds(of phase: Phase) -> UInt64 { totals[phase.rawValue] }

    /// Seconds charged to `phase` in the stretch so far, without the part that still runs.
    public func seconds(of phase: Phase) -> Double { Double(nanoseconds(of: phase)) / 1e9 }

    private func charge() {
        let time = now()
        let duration = time - since
        totals[phase.rawValue] += duration
        if keepsEvents && duration > 0 {
            events.append(PhaseEvent(phase: phase, detail: detail, start: since, duration: duration))
        }
        since = time
    }

    private static let origin = ContinuousClock.now

    /// Nanoseconds of a monotonic clock since its first use in this process.
    public static func monotonicNanoseconds() -> UInt64 {
        let passed = origin.duration(to: .now).components
        return UInt64(passed.seconds) * 1_000_000_000 + UInt64(passed.attoseconds / 1_000_000_000)
    }
}
