// CoreShare - how many cores a test takes while it runs, so that a few program tests run side by side.

import Foundation
import Synchronization
import Testing

/// Admits tests as long as their shares of the cores are free.
actor CoreGate {
    /// The cores of this machine.
    static let machine = CoreGate(cores: ProcessInfo.processInfo.activeProcessorCount)

    private let cores: Int
    private var free: Int
    private var waiting: [(share: Int, continuation: CheckedContinuation<Void, Never>)] = []

    init(cores: Int) {
        self.cores = cores
        free = cores
    }

    /// Waits until so many cores are free, and takes them. More than there are means all of them.
    ///
    /// A share that fits goes before one that does not: tests that want all cores run when the others have ended.
    func enter(_ share: Int) async {
        let share = min(share, cores)
        if share <= free {
            free -= share
            return
        }
        await withCheckedContinuation { waiting.append((share, $0)) }
    }

    /// Gives back what the same share took.
    func leave(_ share: Int) {
        free += min(share, cores)
        while let next = waiting.firstIndex(where: { $0.share <= free }) {
            let (share, continuation) = waiting.remove(at: next)
            free -= share
            continuation.resume()
        }
    }

    /// Runs `body` with so many cores.
    func withCores(_ share: Int, _ body: () async throws -> Void) async throws {
        await enter(share)
        let result: Result<Void, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        leave(share)
        try result.get()
    }
}

/// The cores that a test takes. A suite's share is that of each test in it; where several hold, the largest counts.
struct CoreShare: TestTrait, SuiteTrait, TestScoping {
    let count: Int

    var isRecursive: Bool { true }

    /// Whether the test has its cores already, by another of its shares.
    @TaskLocal private static var isAdmitted = false

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil, !Self.isAdmitted else { return try await function() }
        let share = test.traits.compactMap { ($0 as? CoreShare)?.count }.max() ?? count
        try await CoreGate.machine.withCores(share) {
            let begin = ContinuousClock.now
            try await Self.$isAdmitted.withValue(true) { try await function() }
            TestTimes.record(test, (ContinuousClock.now - begin) / .seconds(1))
        }
    }
}

extension Trait where Self == CoreShare {
    /// The test runs beside others.
    static var oneCore: Self { CoreShare(count: 1) }
    /// No other program test runs meanwhile: signals, hang detectors, time limits and full disks depend on the time that steps take.
    static var allCores: Self { CoreShare(count: .max) }
}

/// What program tests took without the time that they waited for cores, which the times of Swift Testing contain.
enum TestTimes {
    private static let lock = Mutex(())

    /// Appends a line to the file that `MILE_TEST_TIMES` names: seconds, a tab, the suite.
    static func record(_ test: Test, _ seconds: Double) {
        guard let path = ProcessInfo.processInfo.environment["MILE_TEST_TIMES"], !path.isEmpty else { return }
        // A file has one suite, which has its name.
        let suite = test.sourceLocation.fileName.split(separator: ".").first ?? ""
        do {
            try lock.withLock { _ in
                let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
                try file.seekToEnd()
                try file.write(contentsOf: Data("\(seconds)\tProgramTests.\(suite)\n".utf8))
                try file.close()
            }
        } catch {
            Issue.record("\(path), which MILE_TEST_TIMES names: \(error)")
        }
    }
}
