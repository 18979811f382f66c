// CoreGateTests - which tests run side by side.

import Synchronization
import Testing

@Suite struct CoreGateTests {
    /// What is inside of a gate, and the most that ever was.
    private final class Inside: Sendable {
        private let state = Mutex((tests: 0, cores: 0, mostTests: 0, mostCores: 0))

        func enter(_ cores: Int) {
            state.withLock {
                $0.tests += 1
                $0.cores += cores
                $0.mostTests = max($0.mostTests, $0.tests)
                $0.mostCores = max($0.mostCores, $0.cores)
            }
        }

        func leave(_ cores: Int) {
            state.withLock {
                $0.tests -= 1
                $0.cores -= cores
            }
        }

        var most: (tests: Int, cores: Int) { state.withLock { ($0.mostTests, $0.mostCores) } }
    }

    /// Sends tests of these shares through a gate; the most that were inside.
    private func most(cores: Int, shares: [Int]) async throws -> (tests: Int, cores: Int) {
        let (gate, inside) = (CoreGate(cores: cores), Inside())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for share in shares {
                group.addTask {
                    try await gate.withCores(share) {
                        inside.enter(min(share, cores))
                        for _ in 0..<20 { await Task.yield() }
                        inside.leave(min(share, cores))
                    }
                }
            }
            try await group.waitForAll()
        }
        return inside.most
    }

    @Test func neverMoreThanThereAre() async throws {
        let shares = (0..<60).map { [1, 1, 2, Int.max][$0 % 4] }
        #expect(try await most(cores: 2, shares: shares).cores == 2)
        #expect(try await most(cores: 4, shares: shares).cores == 4)
    }

    @Test func allCoresAreTheirsAlone() async throws {
        #expect(try await most(cores: 3, shares: [Int](repeating: .max, count: 20)).tests == 1)
        // On one core nothing is side by side.
        #expect(try await most(cores: 1, shares: [Int](repeating: 1, count: 20)).tests == 1)
    }

    /// A test that throws gives its cores back.
    @Test func errorsLeave() async throws {
        struct Failure: Error {}
        let gate = CoreGate(cores: 1)
        for _ in 0..<3 {
            await #expect(throws: Failure.self) { try await gate.withCores(1) { throw Failure() } }
        }
        try await gate.withCores(1) {}
    }
}
