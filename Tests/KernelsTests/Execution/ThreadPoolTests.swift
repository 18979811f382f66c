// ThreadPoolTests - every task once, every result seen, no thread left behind.

import Foundation
import Kernels
import Synchronization
import Testing

struct ThreadPoolTests {
    private final class Counter: Sendable { let value = Atomic<Int>(0) }

    private func counters(_ count: Int) -> [Counter] { (0..<count).map { _ in Counter() } }

    @Test(arguments: [1, 2, 3, 5], [true, false])
    func everyTaskRunsOnce(threads: Int, spins: Bool) throws {
        let pool = try ThreadPool(threadCount: threads, spins: spins)
        #expect(pool.threadCount == threads)
        for taskCount in [0, 1, 2, 7, 1000] {
            let runs = counters(taskCount)
            let outOfRange = Counter()
            pool.run(taskCount) { task, worker in
                runs[task].value.add(1, ordering: .relaxed)
                if worker < 0 || worker >= threads { outOfRange.value.add(1, ordering: .relaxed) }
            }
            #expect(runs.allSatisfy { $0.value.load(ordering: .relaxed) == 1 })
            #expect(outOfRange.value.load(ordering: .relaxed) == 0)
        }
    }

    /// The progress hook runs in the middle of an operation, on the calling thread, one call at a time.
    @Test(arguments: [1, 3])
    func progressHooksRunBetweenTheTasksOfTheCaller(threads: Int) throws {
        let pool = try ThreadPool(threadCount: threads, spins: false)
        let caller = pthread_self()
        var (hookCalls, elsewhere, nested) = (0, 0, 0)
        var isInside = false
        func work() { pool.run(300) { _, _ in usleep(100) } }
        pool.setProgressHook {
            hookCalls += 1
            if pthread_equal(pthread_self(), caller) == 0 { elsewhere += 1 }
            if isInside { nested += 1 }
            isInside = true
            // The calling thread runs these tasks alone, and no other hook begins.
            pool.runForProgressHook(3) { _ in
                if pthread_equal(pthread_self(), caller) == 0 { elsewhere += 1 }
                usleep(20)
            }
            isInside = false
        }
        work()
        // The calling thread likely gets a third of the tasks or more. A task takes 0.1 ms; the hook runs every 0.2 ms.
        #expect(hookCalls >= 3)
        #expect(elsewhere == 0 && nested == 0)
        let before = hookCalls
        pool.runForProgressHook(300) { _ in usleep(100) }
        #expect(hookCalls == before, "in the middle of work that belongs to it")
        work()
        #expect(hookCalls > before)
        pool.setProgressHook(nil)
        let last = hookCalls
        work()
        #expect(hookCalls == last)
    }

    /// Scratch memory is indexed by worker. Two threads with one worker number would overwrite each other's scratch.
    @Test func noTwoThreadsShareAName() throws {
        let pool = try ThreadPool(threadCount: 5, spins: false)
        let inUse = counters(5)
        let clashes = Counter()
        for _ in 0..<20 {
            pool.run(200) { _, worker in
                if inUse[worker].value.add(1, ordering: .relaxed).oldValue != 0 {
                    clashes.value.add(1, ordering: .relaxed)
                }
                sched_yield()
                inUse[worker].value.subtract(1, ordering: .relaxed)
            }
        }
        #expect(clashes.value.load(ordering: .relaxed) == 0)
    }

    /// A lost wake-up would hang here, and a late thread would take part in the next run.
    ///
    /// Each run reads the results of the run before, without other synchronisation.
    @Test(arguments: [true, false])
    func manyTinyRuns(spins: Bool) throws {
        let pool = try ThreadPool(threadCount: 3, spins: spins)
        let (a, b) = (counters(4), counters(4))
        for run in 0..<10_000 {
            let (from, to) = run % 2 == 0 ? (a, b) : (b, a)
            pool.run(4) { task, _ in
                let value = from[(task + 1) % 4].value.load(ordering: .relaxed)
                to[task].value.store(value + 1, ordering: .relaxed)
            }
        }
        #expect(a.allSatisfy { $0.value.load(ordering: .relaxed) == 10_000 })
    }

    @Test(arguments: [(0, 4), (1, 4), (4, 4), (5, 4), (1000, 64), (3, 100)])
    func rangesCoverEverythingOnce(count: Int, grain: Int) throws {
        let pool = try ThreadPool(threadCount: 2, spins: false)
        let visits = counters(count)
        let misaligned = Counter()
        pool.runRanges(count: count, grain: grain) { range, _ in
            if range.lowerBound % grain != 0 || range.count > grain { misaligned.value.add(1, ordering: .relaxed) }
            for index in range { visits[index].value.add(1, ordering: .relaxed) }
        }
        #expect(visits.allSatisfy { $0.value.load(ordering: .relaxed) == 1 })
        #expect(misaligned.value.load(ordering: .relaxed) == 0)
    }

    @Test func endsItsThreads() async {
        // The test has its own process, where no other test starts threads. A hundred pools start two threads each, and
        // two hundred threads must not be left. Ended threads need a moment to leave the list.
        await #expect(processExitsWith: .success) {
            for index in 0..<100 {
                let pool = try ThreadPool(threadCount: 3, spins: index % 2 == 0)
                pool.run(6) { _, _ in }
            }
            for _ in 0..<1000 where try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count >= 100
            {
                usleep(10_000)
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count
            precondition(left < 100, "\(left) threads are left")
        }
    }

    @Test func aPoolOfNoThreadsTraps() async {
        await #expect(processExitsWith: .failure) { _ = try? ThreadPool(threadCount: 0) }
    }
}
