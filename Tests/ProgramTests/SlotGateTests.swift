// SlotGateTests - which tests run side by side.

import Foundation
import Synchronization
import TestSupport
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

    /// What has happened, in its order.
    private final class Journal: Sendable {
        private let state = Mutex<[Int]>([])
        var entries: [Int] { state.withLock { $0 } }
        func add(_ entry: Int) { state.withLock { $0.append(entry) } }
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

    /// Tests of several slots go first, tests that run alone last, wherever they stand in the queue.
    @Test(arguments: [2, 4]) func longTestsGoFirst(slots: Int) async throws {
        let (gate, journal) = (SlotGate(slots: slots), Journal())
        await gate.enter(slots)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, share) in [1, Int.max, 2].enumerated() {
                group.addTask {
                    try await gate.withSlots(share) { journal.add(share) }
                }
                while await gate.waitingCount <= number { await Task.yield() }
            }
            await gate.leave(slots)
            try await group.waitForAll()
        }
        #expect(journal.entries.last == .max)
        // With four slots both others fit beside each other.
        if slots == 2 { #expect(journal.entries == [2, 1, .max]) }
    }

    /// More functions than there are cores block their threads until all have begun.
    @Test func blockedFunctionsHaveThreadsOfTheirOwn() async {
        let count = 2 * ProcessInfo.processInfo.activeProcessorCount + 1
        let begun = Journal()
        let metAll = await withTaskExecutorPreference(ThreadExecutor.shared) {
            await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<count {
                    group.addTask {
                        begun.add(1)
                        return RunningProgram.poll(limit: 30) { begun.entries.count == count }
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
        }
        #expect(metAll == count)
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
