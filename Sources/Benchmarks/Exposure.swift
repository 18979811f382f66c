// Exposure - how much of the communication of a step is not hidden behind its computation.

internal import MessagePassing
internal import Optimization
internal import Reporting
internal import Sharding

/// The same steps with and without the exchange of gradients and parameters, and that exchange with nothing beside it.
struct Exposure {
    /// Median step without communication.
    let secondsWithout: Double
    /// See ``exposedSeconds(with:without:)``.
    let exposedSeconds: Double
    /// The reductions and gathers of a step alone, medians.
    let reductionSeconds: Double
    let gatherSeconds: Double
    /// Bytes that all ranks together send in the reduce-scatters of a step by messages; nil where gradients are reduced by
    /// the library.
    let sentReductionBytes: Int?

    var pairs: [(key: String, value: JSONValue)] {
        let alone = reductionSeconds + gatherSeconds
        return [
            ("step_seconds_without_exchange", .number(secondsWithout)),
            ("reduction_seconds", .number(reductionSeconds)),
            ("gather_seconds", .number(gatherSeconds)), ("exposed_seconds", .number(exposedSeconds)),
            ("exposed_share", .number(exposedSeconds / alone)),
        ] + (sentReductionBytes.map { [("sent_reduction_bytes", .integer($0))] } ?? [])
    }

    /// Median of what a step takes longer than those without exchange before and behind it. From the one before to the one
    /// behind there are three steps, this one the second: a speed that drifts evenly makes no difference.
    ///
    /// - Parameter without: one more than `with`.
    static func exposedSeconds(with: [Double], without: [Double]) -> Double {
        precondition(
            without.count == with.count + 1, "\(without.count) steps without exchange for \(with.count) with it")
        return Stopwatch.median(
            with.indices.map { with[$0] - (without[$0] + 2 * without[$0 + 1]) / 3 })
    }

    /// - Parameters:
    ///   - steps: timed ones with communication. Without, with and the exchange alone take turns.
    ///   - sample: runs and times a step, whose gathers may still run at its end.
    /// - Returns: the samples with communication, and what the comparison says.
    static func measure<Sample>(
        _ optimizer: ShardedOptimizer, _ communicator: Communicator, steps: Int, sample: () throws -> Sample,
        seconds: (Sample) -> Double
    ) throws -> ([Sample], Exposure) {
        var with: [Sample] = []
        var without: [Double] = []
        func stepWithout() throws -> Double {
            try optimizer.finishGather()
            let exchange = optimizer.exchange
            optimizer.exchange = NoExchange()
            defer { optimizer.exchange = exchange }
            return seconds(try sample())
        }
        var reductions: [Double] = []
        var gathers: [Double] = []
        var sent = 0
        // The first step of all touches memory that nobody has used.
        _ = try sample()
        without.append(try stepWithout())
        for _ in 0..<steps {
            // A step waits for the gathers of the one before: the first has none to wait for, and does not count.
            _ = try sample()
            let sentBefore = communicator.sentReductionBytes
            with.append(try sample())
            sent = communicator.sentReductionBytes - sentBefore
            without.append(try stepWithout())
            try communicator.barrier()
            reductions.append(
                try Stopwatch.seconds {
                    let gradient = optimizer.beginStep()
                    try gradient.startReductions()
                    try gradient.finish().discard()
                })
            try communicator.barrier()
            gathers.append(
                try Stopwatch.seconds {
                    try optimizer.startGathers()
                    try optimizer.finishGather()
                })
        }
        let exposure = Exposure(
            secondsWithout: Stopwatch.median(without),
            exposedSeconds: exposedSeconds(with: with.map(seconds), without: without),
            reductionSeconds: Stopwatch.median(reductions), gatherSeconds: Stopwatch.median(gathers),
            sentReductionBytes: optimizer.reduction == .reduceScatter ? try communicator.sum([sent])[0] : nil)
        return (with, exposure)
    }
}
