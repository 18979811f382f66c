// PhaseRecorderTests - the arithmetic of phases on a clock that the test moves.

import Kernels
import Testing

@Suite struct PhaseRecorderTests {
    /// A clock that stands still until it is moved.
    private final class HandClock {
        var time: UInt64 = 1000
    }

    @Test func chargesThePhaseThatItLeaves() {
        let clock = HandClock()
        let recorder = PhaseRecorder(now: { clock.time })
        recorder.begin(keepingEvents: true)
        clock.time += 3
        recorder.enter(.forward, 0)
        clock.time += 10
        recorder.enter(.forward, 1)
        clock.time += 20
        recorder.enter(.backward)
        clock.time += 40
        recorder.end()
        #expect(recorder.nanoseconds(of: .other) == 3)
        #expect(recorder.nanoseconds(of: .forward) == 30)
        #expect(recorder.nanoseconds(of: .backward) == 40)
        #expect(Phase.allCases.map(recorder.nanoseconds).reduce(0, +) == clock.time - 1000)
        #expect(
            recorder.events == [
                PhaseEvent(phase: .other, detail: -1, start: 1000, duration: 3),
                PhaseEvent(phase: .forward, detail: 0, start: 1003, duration: 10),
                PhaseEvent(phase: .forward, detail: 1, start: 1013, duration: 20),
                PhaseEvent(phase: .backward, detail: -1, start: 1033, duration: 40),
            ])
    }

    @Test func recordsNothingOutsideAStretchAndForgetsTheOneBefore() {
        let clock = HandClock()
        let recorder = PhaseRecorder(now: { clock.time })
        recorder.enter(.data)
        // The current phase is readable although nothing is recorded.
        #expect(recorder.phase == .data)
        clock.time += 5
        recorder.end()
        #expect(recorder.nanoseconds(of: .data) == 0)
        recorder.begin()
        recorder.enter(.data)
        clock.time += 7
        recorder.end()
        #expect(recorder.nanoseconds(of: .data) == 7)
        #expect(recorder.events.isEmpty)
        recorder.begin()
        recorder.end()
        #expect(recorder.nanoseconds(of: .data) == 0)
    }
}
