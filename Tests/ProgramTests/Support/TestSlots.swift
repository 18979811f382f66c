// TestSlots - how many of the machine's slots a test takes while it runs, so that program tests run side by side.

import Foundation
import Synchronization
import Testing

/// Admits tests as long as slots are free.
actor SlotGate {
    /// Two slots for each core. Why: a program test waits half of its time, for mpirun, for files, for a signal's effect.
    static let machine = SlotGate(slots: 2 * ProcessInfo.processInfo.activeProcessorCount)

    /// Tests that wait.
    var waitingCount: Int { waiting.count }

    private let slots: Int
    private var free: Int
    private var waiting: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []

    init(slots: Int) {
        self.slots = slots
        free = slots
    }

    /// Waits until so many slots are free, and takes them. More than there are means all of them.
    ///
    /// Tests of several slots go first, because they are long. Tests that run alone go last.
    func enter(_ count: Int) async {
        await withCheckedContinuation {
            waiting.append((count, $0))
            admit()
        }
    }

    /// Gives back the slots that ``enter(_:)`` took for this count.
    func leave(_ count: Int) {
        free += min(count, slots)
        admit()
    }

    private func admit() {
        while let next, min(waiting[next].count, slots) <= free {
            let (count, continuation) = waiting.remove(at: next)
            free -= min(count, slots)
            continuation.resume()
        }
    }

    /// The test that goes before all others that wait. While its slots are not free, nobody is admitted.
    private var next: Int? {
        waiting.indices.max { (rank(waiting[$0].count), $1) < (rank(waiting[$1].count), $0) }
    }

    private func rank(_ count: Int) -> Int { count == .max ? 0 : count }

    /// Runs `body` with so many slots.
    func withSlots(_ count: Int, _ body: () async throws -> Void) async throws {
        await enter(count)
        let result: Result<Void, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        leave(count)
        try result.get()
    }
}

/// The slots that a test takes. A suite's number is that of each test in it; where several hold, the largest counts.
struct TestSlots: TestTrait, SuiteTrait, TestScoping {
    let count: Int

    var isRecursive: Bool { true }

    /// Whether the test has its slots already, by another of its traits.
    @TaskLocal private static var isAdmitted = false

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil, !Self.isAdmitted else { return try await function() }
        let count = test.traits.compactMap { ($0 as? TestSlots)?.count }.max() ?? count
        try await SlotGate.machine.withSlots(count) {
            let begin = ContinuousClock.now
            try await withTaskExecutorPreference(ThreadExecutor.shared) {
                try await Self.$isAdmitted.withValue(true) { try await function() }
            }
            TestTimes.record(test, (ContinuousClock.now - begin) / .seconds(1))
        }
    }
}

/// Runs the parts of an asynchronous function on threads of their own.
///
/// Why: a program test blocks its thread until a program ends. Swift has as many threads for asynchronous functions as
/// there are cores. Blocked by program tests, they would leave slots unused and keep all other tests waiting.
final class ThreadExecutor: TaskExecutor {
    static let shared = ThreadExecutor()

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // A serial queue gets a thread at once, however many others are blocked.
        DispatchQueue(label: "program test").async { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

extension Trait where Self == TestSlots {
    /// The test runs beside others.
    static var oneSlot: Self { TestSlots(count: 1) }
    /// The test computes on several ranks for seconds.
    static var twoSlots: Self { TestSlots(count: 2) }
    /// No other program test runs meanwhile. Hang detectors and checks of elapsed time depend on the time that steps take.
    static var alone: Self { TestSlots(count: .max) }
}

/// What program tests took without the time that they waited for slots, which the times of Swift Testing contain.
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
