// Stopwatch - medians of repeated runs, in seconds.

package enum Stopwatch {
    /// Seconds of one run of `body`.
    package static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = ContinuousClock.now
        try body()
        return start.secondsAgo
    }

    /// Median seconds of one run of `body`, after one run to warm up. A repetition has as many runs as take some 20 ms.
    ///
    /// There are `repetitions` of them, or fewer where they take more than a second: see ``isEnough(_:of:after:)``.
    package static func median(repetitions: Int = 7, _ body: () -> Void) -> Double {
        body()
        var times = [max(seconds(body), 1e-9)]
        let inner = max(1, Int(0.02 / times[0]))
        if inner > 1 { times = [] }
        let start = ContinuousClock.now
        while !isEnough(times.count, of: repetitions, after: start.secondsAgo) {
            times.append(seconds { for _ in 0..<inner { body() } } / Double(inner))
        }
        return median(times)
    }

    /// Whether `count` repetitions are enough after so many seconds: all of them, or three after one second.
    static func isEnough(_ count: Int, of repetitions: Int, after seconds: Double) -> Bool {
        count >= repetitions || count >= 3 && seconds >= 1
    }

    /// Seconds of `first` over seconds of `second`, of 11 pairs of neighbouring runs, after one run of each to warm up.
    ///
    /// Why pairs: the clock of a shared machine drifts by more than the two may differ. Why each comes first in every
    /// second pair: a clock that slows down would favour the first.
    package static func pairedRatios(_ first: () -> Void, _ second: () -> Void) -> [Double] {
        first()
        second()
        return (0..<11).map { pair in
            if pair % 2 == 0 {
                let time = seconds(first)
                return time / seconds(second)
            }
            let time = seconds(second)
            return seconds(first) / time
        }
    }

    package static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return .nan }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
