// Exposure - the part of a step's communication that computation does not hide.

internal import MessagePassing
internal import Optimization
internal import Reporting
internal import Sharding

/// A comparison of steps with and without the exchange of gradients and parameters, and of the exchange alone.
struct Exposure {
    /// Median step without communication.
    let secondsWithout: Double
    /// See ``exposedSeconds(with:without:)``.
    let exposedSeconds: Double
    /// Median seconds of a step's reductions alone.
    let reductionSeconds: Double
    /// Median seconds of a step's gathers alone.
    let gatherSeconds: Double
    /// Bytes that all ranks together send as messages in a step's reduce-scatters; nil where MPI reduces the gradients.
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

    /// Median of the seconds that a step takes longer than a weighted mean of its neighbours without exchange.
    ///
    /// The weights are 1/3 for the neighbour before and 2/3 for the neighbour behind. Why: another step lies between
    /// the first neighbour and the timed step. A speed that drifts evenly then cancels.
    ///
    /// - Parameters:
    ///   - with: seconds of the timed steps with exchange.
    ///   - without: seconds of the steps without exchange, one more than `with`.
    static func exposedSeconds(with: [Double], without: [Double]) -> Double {
        precondition(
            without.count == with.count + 1, "\(without.count) steps without exchange for \(with.count) with it")
        return Stopwatch.median(
            with.indices.map { with[$0] - (without[$0] + 2 * without[$0 + 1]) / 3 })
    }

    /// - Parameters:
    ///   - steps: timed ones with communication. Without, with and the exchange alone take turns.
    ///   - sample: runs and times a step, whose gathers may still run at its end.
    /// - Returns: the samples with communication, and the comparison.
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
