// Exposure - how much of the communication of a step is not hidden behind its computation.

internal import MessagePassing
internal import Sharding

/// The same steps with and without the exchange of gradients and parameters, and that exchange with nothing beside it.
struct Exposure {
    /// Median step with communication, and without.
    let seconds: Double
    let secondsWithout: Double
    /// The reductions and gathers of a step alone, medians.
    let reductionSeconds: Double
    let gatherSeconds: Double

    /// Rounds of steps with, steps without, and the exchange alone, so that a slow stretch of the machine meets all three.
    private static let rounds = 3

    var exposedSeconds: Double { seconds - secondsWithout }

    var pairs: [(key: String, value: JSONValue)] {
        let alone = reductionSeconds + gatherSeconds
        return [
            ("step_seconds_without_exchange", .number(secondsWithout)),
            ("reduction_seconds", .number(reductionSeconds)),
            ("gather_seconds", .number(gatherSeconds)), ("exposed_seconds", .number(exposedSeconds)),
            ("exposed_share", .number(exposedSeconds / alone)),
        ]
    }

    /// - Parameters:
    ///   - steps: timed ones in all of each kind, rounded up to whole rounds.
    ///   - sample: runs and times a step, whose gathers may still run at its end.
    /// - Returns: the samples with communication, and what the comparison says.
    static func measure<Sample>(
        _ optimizer: ShardedOptimizer, _ communicator: Communicator, steps: Int, sample: () throws -> Sample,
        seconds: (Sample) -> Double
    ) throws -> ([Sample], Exposure) {
        var with: [Sample] = []
        var without: [Double] = []
        var reductions: [Double] = []
        var gathers: [Double] = []
        let stepsPerRound = (steps + rounds - 1) / rounds
        for _ in 0..<rounds {
            // A step waits for the gathers of the one before: the first has none to wait for, and does not count.
            _ = try sample()
            for _ in 0..<stepsPerRound { with.append(try sample()) }
            try optimizer.finishGather()
            optimizer.exchanges = false
            for _ in 0..<stepsPerRound { without.append(seconds(try sample())) }
            optimizer.exchanges = true
            try communicator.barrier()
            reductions.append(
                try Stopwatch.seconds {
                    try optimizer.startReductions()
                    try optimizer.finishReduction()
                })
            try communicator.barrier()
            gathers.append(
                try Stopwatch.seconds {
                    try optimizer.startGathers()
                    try optimizer.finishGather()
                })
        }
        let exposure = Exposure(
            seconds: Stopwatch.median(with.map(seconds)), secondsWithout: Stopwatch.median(without),
            reductionSeconds: Stopwatch.median(reductions), gatherSeconds: Stopwatch.median(gathers))
        return (with, exposure)
    }
}
