// PingPong - latency and bandwidth of the way between two ranks: what `plan` takes for the links of a cluster.

internal import MessagePassing
internal import Tensors

/// A message that goes forth and back between rank 0 and another one.
struct PingPong {
    /// The other rank: the first of another node, where there is one.
    let partner: Int
    let isBetweenNodes: Bool
    /// Seconds one way of a message of one number.
    let latency: Double
    /// Bytes per second of a long message.
    let bandwidth: Double

    /// Bytes of the long message.
    static let longBytes = 16 << 20

    /// Nil with one rank. All ranks call it; the numbers are rank 0's.
    static func measure(_ communicator: Communicator) throws -> PingPong? {
        guard communicator.size > 1 else { return nil }
        let places = try communicator.allGather(
            [Double(communicator.nodeRank)], counts: [Int](repeating: 1, count: communicator.size))
        let other = places.indices.dropFirst().first { places[$0] == 0 }
        let partner = other ?? 1
        var times = (short: 0.0, long: 0.0)
        if communicator.rank == 0 || communicator.rank == partner {
            let peer = communicator.rank == 0 ? partner : 0
            times.short = try oneWay(communicator, peer, count: 1, repetitions: 201)
            times.long = try oneWay(communicator, peer, count: longBytes / 4, repetitions: 5)
        }
        try communicator.barrier()
        return PingPong(
            partner: partner, isBetweenNodes: other != nil, latency: times.short,
            bandwidth: Double(longBytes) / times.long)
    }

    /// Median seconds from one rank to the other, after one round to warm up.
    private static func oneWay(_ communicator: Communicator, _ peer: Int, count: Int, repetitions: Int) throws -> Double
    {
        let message = Arena(count: count).all
        var times: [Double] = []
        for _ in 0...repetitions {
            times.append(
                try Stopwatch.seconds {
                    if communicator.rank == 0 { try communicator.startSend(message, to: peer).wait() }
                    try communicator.startReceive(message, from: peer).wait()
                    if communicator.rank != 0 { try communicator.startSend(message, to: peer).wait() }
                } / 2)
        }
        return Stopwatch.median(Array(times.dropFirst()))
    }
}
