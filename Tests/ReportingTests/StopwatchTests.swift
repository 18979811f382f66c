// StopwatchTests - how many repetitions a median is of.

@testable import Reporting
import Testing

struct StopwatchTests {
    @Test func repetitionsEndEarlyWhereTheyTakeLong() {
        // Quick ones: all of them.
        #expect(!Stopwatch.isEnough(6, of: 7, after: 0.9))
        #expect(Stopwatch.isEnough(7, of: 7, after: 0.2))
        // Slow ones: three, however long they take.
        #expect(!Stopwatch.isEnough(2, of: 7, after: 30))
        #expect(Stopwatch.isEnough(3, of: 7, after: 1))
    }

    /// One run to warm up, then the median of the others; each here is longer than a repetition's 20 ms.
    @Test func slowBodiesRunOnceARepetition() {
        var runs = 0
        let seconds = Stopwatch.median(repetitions: 3) {
            runs += 1
            let start = ContinuousClock.now
            while ContinuousClock.now - start < .milliseconds(25) {}
        }
        #expect(runs == 4)
        #expect(seconds >= 0.025)
    }

    @Test func mediansOfLists() {
        #expect(Stopwatch.median([3, 1, 2]) == 2)
        #expect(Stopwatch.median([4, 1, 2, 3]) == 2.5)
        #expect(Stopwatch.median([]).isNaN)
    }
}
