// PingPong - latency and bandwidth of the way between two ranks: what `plan` takes for the links of a cluster.

internal import Kernels
internal import MessagePassing
internal import Reporting

/// A message that goes forth and back between rank 0 and another one.
struct PingPong {
    /// The other rank: the first of another node, where there is one.
    let partner: Int
    let isBetweenNodes: Bool
    /// Seconds one way of a message of eight bytes.
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
        let short = try oneWay(communicator, partner, bytes: MemoryLayout<Int>.size, rounds: 200)
        let long = try oneWay(communicator, partner, bytes: longBytes, rounds: 5)
        try communicator.barrier()
        return PingPong(
            partner: partner, isBetweenNodes: other != nil, latency: short, bandwidth: Double(longBytes) / long)
    }

    /// Median seconds from rank 0 to another, after one round to warm up; NaN on all ranks but 0.
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
