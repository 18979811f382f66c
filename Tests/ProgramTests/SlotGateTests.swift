// SlotGateTests - which tests run side by side.

import Synchronization
import Testing

@Suite struct SlotGateTests {
    /// What is inside of a gate, and the most that ever was.
    private final class Inside: Sendable {
        private let state = Mutex((tests: 0, slots: 0, mostTests: 0, mostSlots: 0))

        func enter(_ slots: Int) {
            state.withLock {
                $0.tests += 1
                $0.slots += slots
                $0.mostTests = max($0.mostTests, $0.tests)
                $0.mostSlots = max($0.mostSlots, $0.slots)
            }
        }

        func leave(_ slots: Int) {
            state.withLock {
                $0.tests -= 1
                $0.slots -= slots
            }
        }

        var most: (tests: Int, slots: Int) { state.withLock { ($0.mostTests, $0.mostSlots) } }
    }

    /// Sends tests of these shares through a gate; the most that were inside.
    private func most(slots: Int, shares: [Int]) async throws -> (tests: Int, slots: Int) {
        let (gate, inside) = (SlotGate(slots: slots), Inside())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for share in shares {
                group.addTask {
                    try await gate.withSlots(share) {
                        inside.enter(min(share, slots))
                        for _ in 0..<20 { await Task.yield() }
                        inside.leave(min(share, slots))
                    }
                }
            }
            try await group.waitForAll()
        }
        return inside.most
    }

    @Test func neverMoreThanThereAre() async throws {
        let shares = (0..<60).map { [1, 1, 2, Int.max][$0 % 4] }
        #expect(try await most(slots: 2, shares: shares).slots == 2)
        #expect(try await most(slots: 4, shares: shares).slots == 4)
    }

    @Test func allSlotsAreTheirsAlone() async throws {
        #expect(try await most(slots: 3, shares: [Int](repeating: .max, count: 20)).tests == 1)
        // With one slot nothing is side by side.
        #expect(try await most(slots: 1, shares: [Int](repeating: 1, count: 20)).tests == 1)
    }

    /// A test that throws gives its slots back.
    @Test func errorsLeave() async throws {
        struct Failure: Error {}
        let gate = SlotGate(slots: 1)
        for _ in 0..<3 {
            await #expect(throws: Failure.self) { try await gate.withSlots(1) { throw Failure() } }
        }
        try await gate.withSlots(1) {}
    }
}
