// Links - network interfaces of this node, clock offsets of all ranks, latency and bandwidth between nodes.

internal import Glibc
internal import MessagePassing

enum Links {
    /// Interfaces that are up, with their IPv4 addresses and without the loopback, read by `getifaddrs`.
    static func interfaces() -> [NetworkFacts.Interface] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard unsafe getifaddrs(&first) == 0 else { return [] }
        defer { unsafe freeifaddrs(first) }
        var found: [NetworkFacts.Interface] = []
        var next = unsafe first
        while let entry = unsafe next {
            unsafe next = entry.pointee.ifa_next
            let flags = unsafe entry.pointee.ifa_flags
            guard flags & UInt32(IFF_UP) != 0, flags & UInt32(IFF_LOOPBACK) == 0,
                let address = unsafe entry.pointee.ifa_addr,
                unsafe Int32(address.pointee.sa_family) == AF_INET
            else { continue }
            let bytes = unsafe UnsafeRawPointer(address).loadUnaligned(
                fromByteOffset: MemoryLayout<sockaddr_in>.offset(of: \.sin_addr) ?? 4, as: UInt32.self)
            let name = unsafe String(cString: entry.pointee.ifa_name)
            // Network byte order: the first byte of the address has the lowest memory address.
            let parts = (0..<4).map { String(UInt32(littleEndian: bytes) >> (8 * $0) & 255) }
            found.append(.init(name: name, address: parts.joined(separator: ".")))
        }
        return found
    }

    /// Measurements of rank 0 to the other ranks.
    struct Measurement {
        /// By rank: seconds that its clock is ahead of rank 0's clock, and the uncertainty in seconds.
        var clocks: [Int: (offset: Double, uncertainty: Double)] = [:]
        /// By first rank of each other node: latency in seconds one way, bandwidth in bytes per second.
        var links: [Int: (latency: Double, bandwidth: Double)] = [:]
    }

    private static let smallRounds = 30
    private static let largeBytes = 4 << 20
    private static let largeRounds = 6

    /// Measures clock offsets, and latency and bandwidth between nodes. Collective; empty on all ranks but 0.
    ///
    /// - Parameter skew: seconds added to this rank's clock, for tests.
    static func measure(_ communicator: Communicator, skew: Int) throws -> Measurement {
        var result = Measurement()
        let nodeRanks = try communicator.allGather(
            [Double(communicator.nodeRank)], counts: [Int](repeating: 1, count: communicator.size))
        let clock = { nanoseconds(CLOCK_REALTIME) + skew * 1_000_000_000 }
        for other in 1..<max(communicator.size, 1) {
            let trips = try communicator.pingPong(
                between: 0, and: other, byteCount: 8, rounds: smallRounds, clock: clock)
            // A disturbance only lengthens a round, so the shortest round is the most exact.
            guard let best = trips.min(by: { $0.duration < $1.duration }) else { continue }
            result.clocks[other] = (Double(best.offset) * 1e-9, Double(best.duration) * 0.5e-9)
        }
        for other in 1..<max(communicator.size, 1) where nodeRanks[other] == 0 {
            let small = try shortest(communicator, other, byteCount: 8, rounds: smallRounds)
            let large = try shortest(communicator, other, byteCount: largeBytes, rounds: largeRounds)
            guard let small, let large else { continue }
            result.links[other] = (small / 2, Double(2 * largeBytes) / large)
        }
        return result
    }

    /// Seconds of the shortest round trip between rank 0 and the rank `other`; nil on all ranks but 0.
    private static func shortest(
        _ communicator: Communicator, _ other: Int, byteCount: Int, rounds: Int
    ) throws -> Double? {
        let trips = try communicator.pingPong(between: 0, and: other, byteCount: byteCount, rounds: rounds) {
            nanoseconds(CLOCK_MONOTONIC)
        }
        return trips.map(\.duration).min().map { Double(max($0, 1)) * 1e-9 }
    }

    private static func nanoseconds(_ clock: clockid_t) -> Int {
        var time = timespec()
        let status = unsafe clock_gettime(clock, &time)
        precondition(status == 0, "the kernel does not know the clock \(clock)")
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
