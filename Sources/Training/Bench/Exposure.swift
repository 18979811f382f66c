// Exposure - how much of the communication of a step is not hidden behind its computation.

internal import MessagePassing
internal import Sharding

/// The same steps with and without the exchange of gradients and parameters, and that exchange with nothing beside it.
struct Exposure {
    /// Median step with communication, and without.
    let seconds: Double
    let secondsWithout: Double
    /// Median of the differences of neighbouring steps with and without: what a machine whose speed drifts does to one, it
    /// does to the other.
    let exposedSeconds: Double
    /// The reductions and gathers of a step alone, medians.
    let reductionSeconds: Double
    let gatherSeconds: Double
    /// Bytes that this rank sends in the reductions of a step by messages, to ranks of other nodes.
    let sentReductionBytes: Int

    var pairs: [(key: String, value: JSONValue)] {
        let alone = reductionSeconds + gatherSeconds
        return [
            ("step_seconds_without_exchange", .number(secondsWithout)),
            ("reduction_seconds", .number(reductionSeconds)),
            ("gather_seconds", .number(gatherSeconds)), ("exposed_seconds", .number(exposedSeconds)),
            ("exposed_share", .number(exposedSeconds / alone)),
            ("sent_reduction_bytes", .integer(sentReductionBytes)),
        ]
    }

    /// - Parameters:
    ///   - steps: timed ones of each kind. With, without and the exchange alone take turns.
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
        var sent = 0
        for _ in 0..<steps {
            // A step waits for the gathers of the one before: the first has none to wait for, and does not count.
            _ = try sample()
            with.append(try sample())
            try optimizer.finishGather()
            optimizer.exchanges = false
            without.append(seconds(try sample()))
            optimizer.exchanges = true
            try communicator.barrier()
            let sentBefore = communicator.sentReductionBytes
            reductions.append(
                try Stopwatch.seconds {
                    try optimizer.startReductions()
                    try optimizer.finishReduction()
                })
            sent = communicator.sentReductionBytes - sentBefore
            try communicator.barrier()
            gathers.append(
                try Stopwatch.seconds {
                    try optimizer.startGathers()
                    try optimizer.finishGather()
                })
        }
        let exposure = Exposure(
            seconds: Stopwatch.median(with.map(seconds)), secondsWithout: Stopwatch.median(without),
            exposedSeconds: Stopwatch.median(zip(with, without).map { seconds($0) - $1 }),
            reductionSeconds: Stopwatch.median(reductions), gatherSeconds: Stopwatch.median(gathers),
            sentReductionBytes: sent)
        return (with, exposure)
    }
}
