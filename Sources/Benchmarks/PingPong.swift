// PingPong - latency and bandwidth between two ranks, the numbers that `plan` takes for the links of a cluster.

internal import Kernels
internal import MessagePassing
internal import Reporting

/// The measured link between rank 0 and another rank.
struct PingPong {
    /// The other rank: the first rank of another node, or rank 1 on a single node.
    let partner: Int
    let isBetweenNodes: Bool
    /// Seconds one way of a message of eight bytes.
    let latency: Double
    /// Bytes per second of a long message.
    let bandwidth: Double

    /// Bytes of the long message.
    static let longBytes = 16 << 20

    /// Measures the link; nil with one rank. Collective. Only rank 0 gets the numbers.
    static func measure(_ communicator: Communicator) throws -> PingPong? {
        guard communicator.size > 1 else { return nil }
        let nodeRanks = try communicator.allGather(
            [Double(communicator.nodeRank)], counts: [Int](repeating: 1, count: communicator.size))
        let other = nodeRanks.indices.dropFirst().first { nodeRanks[$0] == 0 }
        let partner = other ?? 1
        let short = try oneWay(communicator, partner, bytes: MemoryLayout<Int>.size, rounds: 200)
        let long = try oneWay(communicator, partner, bytes: longBytes, rounds: 5)
        try communicator.barrier()
        return PingPong(
            partner: partner, isBetweenNodes: other != nil, latency: short, bandwidth: Double(longBytes) / long)
    }

    /// Median seconds one way, after one round to warm up; NaN on all ranks but 0.
    private static func oneWay(
        _ communicator: Communicator, _ partner: Int, bytes: Int, rounds: Int
    ) throws -> Double {
        let trips = try communicator.pingPong(between: 0, and: partner, byteCount: bytes, rounds: 1 + rounds) {
            Int(PhaseRecorder.monotonicNanoseconds())
        }
        let seconds = trips.dropFirst().map { Double($0.duration) / 2e9 }
        return seconds.isEmpty ? .nan : Stopwatch.median(seconds)
    }
}
